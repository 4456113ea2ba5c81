"""Two trainings under one prefix would each write over what the other has saved."""

import errno
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b

from ctc_ocr.errors import RunError


@contextmanager
def locked_prefix(prefix: str) -> Iterator[None]:
    """Raises RunError while another process of this machine is in here with the same prefix.

    A name in Linux's abstract socket namespace is the lock: it is gone with its process, however that ends, and leaves
    no file. Elsewhere nothing is locked.
    """
    if sys.platform != "linux":
        yield
        return
    digest = blake2b(os.path.realpath(f"{prefix}-").encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as lock:
        try:
            lock.bind(f"\0ctc_ocr run {digest}")
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise RunError(f"another training is under way under the prefix {prefix!r}") from None
        yield
