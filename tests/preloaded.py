"""Python processes that have imported MXNet already: forks of one that did nothing else.

Importing MXNet takes seconds, and dozens of tests run a script or a command in a process of its own. As a program, this
module is the process that forks: it reads one JSON object per line (see _run) and answers with the exit status.
"""

import atexit
import json
import os
import runpy
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
Done = subprocess.CompletedProcess[str]


def python(folder: Path, *arguments: str | Path) -> Done:
    """What `python ARGUMENTS` does in a folder, for a script, `-m MODULE` and `-c CODE`, with one OpenMP thread."""
    argv = [str(argument) for argument in arguments]
    with tempfile.TemporaryDirectory() as outputs:
        request = {"folder": str(folder), "argv": argv, "outputs": outputs}
        server = _server()
        assert server.stdin is not None
        assert server.stdout is not None
        print(json.dumps(request), file=server.stdin, flush=True)
        answer = server.stdout.readline()
        assert answer, "the preloaded process has ended"
        out, error = (Path(outputs, name).read_text(encoding="utf-8") for name in ("stdout", "stderr"))
    return subprocess.CompletedProcess(argv, int(answer), out, error)


@cache
def _server() -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.preloaded"],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    atexit.register(server.communicate)  # the end of its input ends it
    return server


def _run(folder: str, argv: list[str], outputs: str) -> int:
    """The exit status of a fork that runs argv in the folder, and writes to stdout and stderr in the folder outputs."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    for number, name in enumerate(("stdout", "stderr"), start=1):
        os.dup2(os.open(f"{outputs}/{name}", os.O_WRONLY | os.O_CREAT), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(folder)
    if argv[0] == "-m":
        sys.path[0] = folder
        sys.argv = argv[1:]
        runpy.run_module(argv[1], run_name="__main__", alter_sys=True)
    elif argv[0] == "-c":
        sys.path[0] = ""
        sys.argv = ["-c", *argv[2:]]
        exec(argv[1], {"__name__": "__main__"})
    else:
        sys.path[0] = str(Path(folder, argv[0]).parent)
        sys.argv = argv
        runpy.run_path(argv[0], run_name="__main__")
    return 0


def _serve() -> None:
    from ctc_ocr import mxnet

    assert mxnet.__version__
    parent = os.getpid()
    for line in sys.stdin:
        status = _run(**json.loads(line))
        if os.getpid() != parent:
            break
        print(status, flush=True)


if __name__ == "__main__":
    _serve()
