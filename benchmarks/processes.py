"""What Linux says of processes in /proc."""

import contextlib
from pathlib import Path


def children(pid: int) -> dict[int, str]:
    """{process id: command line} of all processes below one."""
    found: dict[int, str] = {}
    left = [pid]
    while left:
        parent = left.pop()
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                left += (new := [int(each) for each in task.read_text().split()])
                found |= {each: Path(f"/proc/{each}/cmdline").read_text().replace("\0", " ") for each in new}
    return found


def pss(pid: int) -> int:
    """Bytes; 0 of a process that has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
