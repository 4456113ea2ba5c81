"""What is said at the end of a run, and why it reads little."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from ctc_ocr.runtime.advice import without_advice
from ctc_ocr.training.events import EpochEnd, ValidationPrediction
from ctc_ocr.training.verdict import Facts, Verdict, reached
from tests.training_runs import epoch_end

ENOUGH = Facts(1000, Counter("0123456789" * 400), steps_per_unit=5.0)


def ends(*cers: float, train: float = 0.5, read: int = 0, count: int = 20) -> list[EpochEnd]:
    """Epochs with these CERs; in the best, `read` of `count` validation images are read."""
    best, found = 0, list[EpochEnd]()
    for number, cer in enumerate(cers):
        best = number + 1 if not found or cer < min(cers[:number]) else best
        predictions = tuple(
            ValidationPrediction("a", "a" if each < read else "b", int(each >= read)) for each in range(count)
        )
        found.append(
            replace(
                epoch_end(epoch=number, best_epoch=best, cer=cer), train_accuracy=train, predictions=predictions,
                validation_accuracy=read / count,
            )
        )  # fmt: skip
    return found


def said(
    events: list[EpochEnd], caplog: pytest.LogCaptureFixture, facts: Any = ENOUGH, target: float = 0.0, **how: bool
) -> list[str]:
    caplog.set_level("INFO", logger="ctc_ocr")
    verdict = Verdict(facts, started=how.get("started", True), target=target)
    for each in events:
        verdict(each)
    caplog.clear()
    verdict.log(is_bounded=how.get("is_bounded", False), is_finished=how.get("is_finished", True))
    return caplog.messages


def test_the_accuracy_has_an_interval() -> None:
    assert reached(ends(0.0, read=20)[0].row) == "Reads 20 of 20 held-out images (84 to 100 %)"
    assert reached(ends(0.0, read=2000, count=2000)[0].row) == "Reads 2,000 of 2,000 held-out images (99.8 to 100.0 %)"
    assert reached(ends(1.0, read=0)[0].row) == "Reads 0 of 20 held-out images (0 to 16 %)"


def test_a_run_that_stands_still_and_one_that_improves(caplog: pytest.LogCaptureFixture) -> None:
    good = ends(0.5, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, read=18)
    assert said(good, caplog)[1:] == ["Validation did not improve any more, so the run ended"]
    assert said(good, caplog, is_bounded=True)[1:] == []
    assert said(good, caplog, is_finished=False) == ["Reads 18 of 20 held-out images (70 to 97 %)"]
    improving = ends(0.5, 0.4, 0.3, 0.2, read=10)
    (line,) = said(improving, caplog, is_bounded=True)[1:]
    assert line.startswith("Still improving when it ended: go on with --resume")
    with without_advice():  # of a model that is removed: what was read is said all the same
        assert said(improving, caplog, is_bounded=True) == ["Reads 10 of 20 held-out images (30 to 70 %)"]
        assert said(good, caplog)[1:] == ["Validation did not improve any more, so the run ended"]


@pytest.mark.parametrize("cers", [(0.2,), (0.2, 0.2), (0.5, 0.2, 0.2), (0.5, 0.2, 0.3)])
def test_a_run_whose_last_epochs_read_no_more_is_not_called_improving(
    cers: tuple[float, ...], caplog: pytest.LogCaptureFixture
) -> None:
    """Not even if its loss fell meanwhile."""
    losses = [replace(each, validation_loss=3.0 - each.epoch) for each in ends(*cers, read=10)]
    assert said(losses, caplog, is_bounded=True)[1:] == []


def test_some_of_the_last_epochs_must_have_improved(caplog: pytest.LogCaptureFixture) -> None:
    long = [0.9 - 0.04 * number for number in range(18)]
    assert "Still improving" in said(ends(*long, 0.3, 0.3, read=10), caplog, is_bounded=True)[1]
    assert said(ends(*long[:-1], 0.1, 0.2, 0.2, 0.2, read=10), caplog, is_bounded=True)[1:] == []


def test_images_that_are_learned_by_heart(caplog: pytest.LogCaptureFixture) -> None:
    (line,) = said(ends(0.6, 0.5, 0.5, train=0.99, read=2), caplog)[1:]
    assert "It reads 99% of its training images, and overfits them: more labels help most" in line


@pytest.mark.parametrize(
    ("facts", "started", "reason"),
    [
        (replace(ENOUGH, steps_per_unit=1.2), True, "only 1.2 time steps per character: use a larger --width"),
        (replace(ENOUGH, num_images=60), False, "60 images are few without a model to start from: see --init_from"),
        (replace(ENOUGH, num_images=60), True, "Wrong labels, or characters that are too small"),
        (Facts(60, Counter("abcdefgh"), 5.0), True, "8 different characters, and each occurs 1 times: label more"),
        (ENOUGH, True, "Wrong labels, or characters that are too small"),
        (None, False, "Check with --overfit_batch whether the network can learn at all"),
    ],
)
def test_why_nothing_was_learned(
    facts: Facts | None, started: bool, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    (line,) = said(ends(1.0, 0.95), caplog, facts, started=started)[1:]
    assert line.startswith("The network learned to read nothing.")
    assert reason in line


def test_nothing_is_said_of_a_run_without_an_epoch(caplog: pytest.LogCaptureFixture) -> None:
    assert said([], caplog) == []


def test_a_resumed_run_is_judged_as_a_whole(caplog: pytest.LogCaptureFixture) -> None:
    """Its best epoch may be one before it was interrupted, and so may the last that improved."""
    caplog.set_level("INFO", logger="ctc_ocr")
    events = ends(0.5, 0.1, 0.2, 0.2, 0.2, read=18)
    for before in range(len(events) + 1):
        verdict = Verdict(ENOUGH, True, rows=[each.row for each in events[:before]])
        for each in events[before:]:
            verdict(each)
        caplog.clear()
        verdict.log(is_bounded=False)
        assert caplog.messages == [
            "Reads 18 of 20 held-out images (70 to 97 %)",
            "Validation did not improve any more, so the run ended",
        ]
    old = [replace(each.row, validation_samples=0) for each in events]
    caplog.clear()
    Verdict(ENOUGH, True, rows=old).log(is_bounded=True)
    assert caplog.messages == []  # the histories of version 0.2 do not say how many were read


def test_a_run_that_reached_its_target_needs_no_advice(caplog: pytest.LogCaptureFixture) -> None:
    events = ends(0.4, 0.2, 0.1, read=18)
    assert said(events, caplog, target=0.9, is_bounded=True)[1:] == ["The target accuracy 0.9 is reached"]
    assert "Still improving" in said(events, caplog, target=0.95, is_bounded=True)[1]
