"""Reading needs nothing that only Linux has: no module, no function of `os`, no MXNet, no compiler."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.imports import imports, modules
from tests.test_walls import reached

ROOT = Path(__file__).resolve().parent.parent
# Of the standard library, what Windows does not have.
POSIX_ONLY = {
    "crypt", "fcntl", "grp", "nis", "ossaudiodev", "posix", "pty", "pwd", "resource", "spwd", "syslog", "termios",
    "tty",
}  # fmt: skip
READING = (
    "ctc_ocr", "ctc_ocr.inference.predictor", "ctc_ocr.inference.batch", "ctc_ocr.inference.evaluate",
    "ctc_ocr.onnx_models.reader", "ctc_ocr.serving.app", "ctc_ocr.serving.server",
    "ctc_ocr.cli.main", "ctc_ocr.cli.infer", "ctc_ocr.cli.evaluate", "ctc_ocr.cli.serve",
)  # fmt: skip
# A process that has neither these modules nor these functions, as on Windows, and neither MXNet nor numba.
ELSEWHERE = """
import os, sys
import subprocess, tempfile, multiprocessing, uuid  # the standard library's own way around what is missing
sys.modules.update(dict.fromkeys({missing}))
for name in ("fork", "sched_getaffinity", "getuid", "geteuid", "getpgid", "setsid", "mkfifo", "O_DIRECTORY", "pread"):
    if hasattr(os, name):
        delattr(os, name)
from ctc_ocr.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("start", READING)
def test_what_reading_imports_is_there_on_every_system(start: str) -> None:
    trees = modules(ROOT)
    found = {name for name in reached(start, trees) if name.split(".")[0] in POSIX_ONLY}
    assert found == set()


def test_only_the_lock_of_a_run_may_import_what_windows_lacks() -> None:
    found = {
        name
        for name, tree in modules(ROOT).items()
        if {each.split(".")[0] for each in imports(tree, at_import_time=False)} & POSIX_ONLY
    }
    assert found <= {"ctc_ocr.runtime.run_lock"}


@pytest.mark.parametrize("command", ["infer", "evaluate"])
def test_a_process_without_them_reads_with_the_starter(command: str, tmp_path: Path) -> None:
    code = ELSEWHERE.format(missing=sorted(POSIX_ONLY | {"mxnet", "numba"}))
    picture = (ROOT / "docs" / "sample.png").read_bytes()
    (tmp_path / "2345.png").write_bytes(picture)
    arguments = {
        "infer": ["infer", "2345.png", "--out", "found.csv"],
        "evaluate": ["evaluate", "--model", "starter", ".", "--out", "found.csv"],
    }[command]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=tmp_path, capture_output=True, text=True,
        env={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PATH": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "2345.png" in (tmp_path / "found.csv").read_text(encoding="utf-8")
