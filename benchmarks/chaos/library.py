"""The library that makes file operations fail, compiled where there is a C compiler for Linux."""

import shutil
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).with_name("faults.c")


def compiled(folder: Path) -> Path | None:
    """The path of the library, made in a folder, for LD_PRELOAD; None where it cannot be made."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        return None
    made = folder / "faults.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", made, SOURCE, "-ldl"], check=True)
    return made
