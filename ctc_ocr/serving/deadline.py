"""A time in which something must be done."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def deadline(seconds: float) -> AsyncIterator[None]:
    """Raises TimeoutError if the `async with` block takes longer."""
    if sys.version_info >= (3, 11):
        async with asyncio.timeout(seconds):  # it takes a tenth of anyio's time
            yield
    else:
        import anyio

        with anyio.fail_after(seconds):
            yield
