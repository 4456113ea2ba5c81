"""Signals that a process was started to ignore stay ignored, since a script that forwards them may send both; and
handlers are put back."""

import errno
import multiprocessing.resource_tracker
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from ctc_ocr.runtime.parent import interrupts_withheld
from ctc_ocr.runtime.signals import Terminated, ended_by_signals, sigterm_raises
from ctc_ocr.training.interrupts import Interrupts


@pytest.fixture
def ignored_sigterm() -> Iterator[None]:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures("ignored_sigterm")
def test_an_ignored_sigterm_is_no_interrupt() -> None:
    with sigterm_raises(), Interrupts() as interrupts:
        os.kill(os.getpid(), signal.SIGTERM)
        assert not interrupts.requested
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupts.number == signal.SIGINT
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN


def test_sigterm_and_then_ctrl_c_are_two_interrupts() -> None:
    with Interrupts() as interrupts:
        os.kill(os.getpid(), signal.SIGTERM)
        assert interrupts.number == signal.SIGTERM
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_sigterm_raises_where_it_is_not_ignored() -> None:
    with pytest.raises(Terminated), sigterm_raises():
        os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize("around", [sigterm_raises, ended_by_signals, interrupts_withheld, Interrupts])
def test_handlers_that_were_set_in_c_are_left_alone(around: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a program that runs Python inside itself: Python does not know them, and could not put them back."""

    replaced: list[int] = []
    with monkeypatch.context() as patched:
        patched.setattr(signal, "getsignal", lambda number: None)
        patched.setattr(signal, "signal", lambda number, handler: replaced.append(number))
        with around():
            pass
    assert replaced == []


def test_ctrl_c_works_after_processes_that_could_not_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a notebook, say, which has too many open files."""

    def fail() -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(multiprocessing.resource_tracker, "ensure_running", fail)
    with pytest.raises(OSError, match="open files"), interrupts_withheld():
        pass
    now = signal.signal(signal.SIGINT, before)
    assert now is before
