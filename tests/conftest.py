"""What all test files share: one thread for each process of the suite, nothing left behind by a command, fonts."""

import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

THREADS = ("OMP_NUM_THREADS", "MXNET_OMP_MAX_THREADS", "OPENBLAS_NUM_THREADS")
# Before MXNet is imported. Several test processes with a thread for each core slow each other down many times.
os.environ.update(dict.fromkeys(THREADS, "1"))
# A suite that a script runs in the background is started with Ctrl-C ignored, and so would be the commands under test.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--messages", metavar="FILE", type=Path, help="add the messages that each test provokes to FILE")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--messages"):
        from tests.message_recorder import MessageRecorder

        config.pluginmanager.register(MessageRecorder(config.getoption("--messages").absolute()))


FONTS = Path(__file__).resolve().parent.parent / "fonts"


@pytest.fixture(autouse=True)
def _state_of_the_process() -> Iterator[None]:
    """A command sets the number of threads and the log for its process: not for the tests after it."""
    logger = logging.getLogger("ctc_ocr")
    log = (list(logger.handlers), logger.level, logger.propagate)
    threads = {name: os.environ.get(name) for name in THREADS}
    yield
    logger.handlers[:], level, logger.propagate = log
    logger.setLevel(level)
    for name, value in threads.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@pytest.fixture(scope="session")
def fonts_folder() -> Path:
    """The folder of the four Ubuntu fonts."""
    return FONTS


@pytest.fixture(scope="session")
def ubuntu_font() -> str:
    """Path of Ubuntu-M.ttf."""
    return str(FONTS / "Ubuntu-M.ttf")
