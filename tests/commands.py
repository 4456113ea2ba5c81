"""Running a command in the process of the test: it starts in no time, where a process of its own imports MXNet first.

Tests of signals, terminals, closed pipes and what is imported run a real process instead.
"""

import contextlib
import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Done:
    """The attributes of subprocess.CompletedProcess."""

    returncode: int
    stdout: str
    stderr: str


def run_here(main: Callable[[list[str]], int], folder: Path, *arguments: str) -> Done:
    """Run `main(arguments)` with `folder` as the working directory."""
    before, stdout, stderr = Path.cwd(), io.StringIO(), io.StringIO()
    os.chdir(folder)
    try:
        with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
            try:
                status: object = main(list(arguments))
            except SystemExit as ended:  # of argparse
                status = ended.code
    finally:
        os.chdir(before)
    assert isinstance(status, int)
    return Done(status, stdout.getvalue(), stderr.getvalue())
