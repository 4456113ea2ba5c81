"""How long a run is: the rules alone, without a network."""

import math
from dataclasses import asdict, replace
from typing import Any

import pytest

from ctc_ocr.config.presets import preset
from ctc_ocr.config.sections import Training
from ctc_ocr.training.budget import Budget
from ctc_ocr.training.schedules import Course, Schedule

WSD = Training(schedule="wsd", stop_patience=4, num_epoch=1000, decay_fraction=0.25)
FEW = 10  # validation images


def ended(settings: Training, cers: Any, seconds: float = 10.0, loss: float = 1.0) -> tuple[int, Budget]:
    """Epochs until the run ends whose epoch n has the CER cers(n); and the budget then."""
    budget, done = Budget(), 0
    budget.start(settings, 0)
    while done < budget.end:
        done += 1
        budget.after_epoch(settings, done, seconds, cers(done), loss, FEW)
    return done, budget


def test_a_run_ends_when_validation_stands_still() -> None:
    done, budget = ended(WSD, lambda n: 0.5 if n < 3 else 0.1)
    # Four epochs after the third the rate begins to fall, for a quarter of seven epochs.
    assert (budget.decay_from, done, budget.stopped) == (7, 9, True)


def test_what_has_improved_for_long_is_waited_for_longer() -> None:
    done, budget = ended(WSD, lambda n: 0.9**n if n < 100 else 0.9**100)
    assert budget.decay_from == 143
    assert done == 143 + 36


def test_small_improvements_and_a_sure_reading_are_no_improvement() -> None:
    assert ended(WSD, lambda n: 0.1 - 0.0001 * n)[1].decay_from == 5
    budget = Budget()
    budget.start(WSD, 0)
    for done in range(1, 10):
        budget.after_epoch(WSD, done, 10.0, 0.0, 0.01 * 0.5**done, FEW)  # the loss halves and changes no reading
    assert budget.decay_from == 5


def test_a_lower_loss_of_few_samples_is_no_improvement() -> None:
    """Of ten samples, one that is read no longer adds about 0.3 nats to the mean."""
    for samples, decay_from in ((FEW, 5), (10 * FEW, 6)):
        budget = Budget()
        budget.start(WSD, 0)
        for done in range(1, 10):
            budget.after_epoch(WSD, done, 10.0, 0.1, 0.8 if done == 1 else 0.55, samples)
        assert budget.decay_from == decay_from


def test_a_run_whose_many_validation_images_are_all_read_ends_soon() -> None:
    """Few that are all read say little: of ten, a quarter of the others may be wrong."""
    for samples, end in ((300, 3), (299, 7)):
        budget, done = Budget(), 0
        budget.start(WSD, 0)
        while done < budget.end:
            done += 1
            budget.after_epoch(WSD, done, 10.0, 0.0, 0.04, samples)
        assert (done, budget.stopped) == (end, True)
    budget = Budget()
    budget.start(WSD, 0)
    for done, (cer, loss) in enumerate([(0.0, 1.0), (0.0, 0.5), (0.001, 0.4), (0.0, 0.3)], 1):
        budget.after_epoch(WSD, done, 10.0, cer, loss, 300)
    assert not budget.stopped  # the loss of what is read improves, and one was wrong
    assert Budget.from_values(asdict(budget)) == budget


def test_the_all_blank_plateau_is_waited_for() -> None:
    done, budget = ended(WSD, lambda n: 1.0)
    assert budget.decay_from == 17
    assert done == 22


def test_the_last_epochs_decay_where_the_number_of_epochs_is_the_bound() -> None:
    settings = replace(WSD, num_epoch=10)
    done, budget = ended(settings, lambda n: 0.5**n)
    assert (done, budget.decay_from, budget.stopped) == (10, 8, False)
    assert ended(replace(settings, num_epoch=1), lambda n: 1.0)[0] == 1


def test_minutes_bound_a_run_and_its_schedule_follows() -> None:
    for schedule in ("wsd", "cosine"):
        settings = replace(WSD, schedule=schedule, max_minutes=2.0)
        done, budget = ended(settings, lambda n: 0.5**n, seconds=10.0)
        assert (done, budget.end) == (12, 12)
        assert budget.seconds <= 120
        assert budget.decay_from == 9
        rate = Schedule(settings, Course(12 * 100, decay_from=900))
        assert rate(850) > rate(1150) > rate(1200) == pytest.approx(0.0)
    # The first epoch is always made.
    assert ended(replace(WSD, max_minutes=0.1), lambda n: 0.5**n, seconds=10.0)[0] == 1


def test_what_fits_into_the_minutes_is_foreseen_within_the_first_epoch() -> None:
    budget = Budget()
    budget.start(replace(WSD, max_minutes=2.0), 0)
    for seconds, end, decay_from in ((10.0, 12, 9), (500.0, 1, 0), (0.01, WSD.num_epoch, budget.decay_from)):
        budget.foresee(replace(WSD, max_minutes=2.0), seconds)
        assert (budget.end, budget.decay_from) == (end, decay_from)


@pytest.mark.parametrize(("lost", "end"), [(0.0, 12), (60.0, 6), (115.0, 3)])
def test_the_time_of_what_diverged_counts(lost: float, end: int) -> None:
    settings, budget = replace(WSD, max_minutes=2.0), Budget()
    budget.start(settings, 0)
    for done in (1, 2, 3):
        budget.after_epoch(settings, done, 10.0, 0.5**done, 1.0, FEW)
    budget.lose(settings, 3, lost)
    assert (budget.end, budget.decay_from) == (end, max(3, end - math.ceil(end / 5)))
    first = Budget()
    first.start(settings, 0)
    first.lose(settings, 0, lost)
    first.foresee(settings, 10.0)
    assert first.end == max(1, int((120 - lost) / 10))


def test_other_schedules_make_all_epochs() -> None:
    for schedule in ("cosine", "constant", "plateau", "one_cycle"):
        assert ended(replace(WSD, schedule=schedule, num_epoch=30), lambda n: 1.0)[0] == 30
    assert ended(replace(WSD, stop_patience=0, num_epoch=30), lambda n: 1.0)[0] == 30


def test_the_decay_is_a_fraction_of_the_epochs_before_it() -> None:
    assert [ended(replace(WSD, decay_fraction=each), lambda n: 0.1)[0] for each in (0.0, 0.25, 1.0)] == [6, 7, 10]


def test_the_time_left_is_that_without_any_improvement() -> None:
    budget = Budget()
    budget.start(WSD, 0)
    budget.after_epoch(WSD, 1, 10.0, 0.5, 1.0, FEW)
    # Four more epochs, and a quarter of five.
    assert budget.seconds_left(WSD, 1) == 60.0
    cosine = Training(num_epoch=12)
    budget = Budget()
    budget.start(cosine, 0)
    budget.after_epoch(cosine, 1, 10.0, 0.5, 1.0, FEW)
    assert budget.seconds_left(cosine, 1) == 110.0


def test_a_budget_is_stored_as_values_and_continued_with_more_epochs() -> None:
    done, budget = ended(WSD, lambda n: 0.1)
    again = Budget.from_values(asdict(budget))
    assert again == budget
    assert again.end == done
    again.start(replace(WSD, num_epoch=2000), done)
    assert (again.end, again.stopped, again.decay_from) == (2000, False, 1600)
    with pytest.raises(TypeError):
        Budget.from_values({"standing": {}, "other": 1})


def test_wsd_is_flat_and_falls_by_one_minus_a_root() -> None:
    settings = Training(schedule="wsd", learning_rate=0.1, warmup_updates=10)
    rate = Schedule(settings, Course(200, decay_from=100))
    assert [rate(update) for update in (5, 10, 100)] == pytest.approx([0.05, 0.1, 0.1])
    assert [rate(update) for update in (125, 200, 300)] == pytest.approx([0.05, 0.0, 0.0])


def test_presets_for_labelled_images_stop_by_themselves() -> None:
    for name in ("word", "line"):
        settings = preset(name).training
        assert (settings.schedule, settings.samples_per_epoch) == ("wsd", 0)
        assert ended(settings, lambda n: 0.0)[0] < 10
