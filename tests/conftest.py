"""Fixtures that several test files use."""

import signal
from pathlib import Path

import pytest

# A suite that a script runs in the background is started with Ctrl-C ignored, and so would be the commands under test.
signal.signal(signal.SIGINT, signal.default_int_handler)

FONTS = Path(__file__).resolve().parent.parent / "fonts"


@pytest.fixture(scope="session")
def fonts_folder() -> Path:
    """The folder of the four Ubuntu fonts."""
    return FONTS


@pytest.fixture(scope="session")
def ubuntu_font() -> str:
    """Path of Ubuntu-M.ttf."""
    return str(FONTS / "Ubuntu-M.ttf")
