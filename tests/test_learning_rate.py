"""The learning-rate range test: its curve, its picture, and the command that makes them of real captchas."""

import csv
import json
import multiprocessing
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ctc_ocr
from ctc_ocr.alphabet import Alphabet
from ctc_ocr.checkpoint.description import Model
from ctc_ocr.cli import lr_find, main, train
from ctc_ocr.errors import InputError, RunError
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.training.rate_curve import RateCurve, rising_rates, write_curve
from ctc_ocr.training.rate_plot import axis_limits, plot_curve
from ctc_ocr.training.trainer import Trainer
from ctc_ocr.training.trial_updates import losses_at
from tests.commands import Done, run_here
from tests.training_runs import SMALL, make_source, streamed, training, weights

NETWORK = [
    "--alphabet=01", "--min_length=1", "--max_length=2", "--draw_width=80", "--width=40", "--height=20",
    "--num_layers=1", "--num_hidden=16", "--batch_size=8", "--renderer=captcha", "--num_proc=1", "--cpu=1",
]  # fmt: skip


def curve_of(losses, low=1e-6, high=1.0, count=None):
    rates = rising_rates(low, high, count or len(losses)).tolist()
    return RateCurve(tuple(rates[: len(losses)]), tuple(losses), count or len(losses))


def typical(seed=0, noise=0.3):
    """200 losses of rates from 1e-6 to 1: 20 nats, a fall to 8 whose middle is at 1e-3, an explosion from 0.1 on."""
    rates = rising_rates(1e-6, 1.0, 200)
    losses = 8 + 12 / (1 + np.exp(4 * np.log(rates / 1e-3))) + np.maximum(rates / 0.1, 1) ** 4 - 1
    return losses + np.random.default_rng(seed).normal(scale=noise, size=200)


@pytest.mark.parametrize("seed", range(5))
def test_the_suggestion_and_where_the_loss_falls_most_steeply(seed):
    curve = curve_of(typical(seed))
    assert curve.steepest == pytest.approx(1e-3, rel=0.5)
    assert curve.suggestion == pytest.approx(curve.rates[int(np.argmin(curve.smoothed))] / 10)
    assert 2e-3 < curve.rates[curve.lowest] < 0.15
    assert 0.1 < curve.rates[curve.num_stable] < 0.4
    # An explosion before the end, which the mean of neighbours would spread, changes nothing.
    cut = curve.losses[: curve.num_stable]
    assert curve_of([*cut, 1e9], count=200).suggestion == pytest.approx(curve.suggestion)
    assert curve_of([*cut, 1e9], count=200).steepest == pytest.approx(curve.steepest)


def test_the_test_ends_once_the_explosion_is_certain():
    losses = typical().tolist()
    ends = next(count for count in range(1, 200) if curve_of(losses[:count], count=200).explodes)
    whole = curve_of(losses)
    assert whole.num_stable < ends < 200
    assert curve_of(losses[:ends], count=200).num_stable == whole.num_stable
    assert curve_of(losses[:ends], count=200).suggestion == whole.suggestion


def test_smoothing_is_the_mean_of_neighbours():
    rng = np.random.default_rng(0)
    losses = rng.random(100)
    smoothed = curve_of(losses).smoothed
    for number in (0, 1, 50, 99):  # 2 neighbours on each side: a twentieth of 100
        assert smoothed[number] == pytest.approx(losses[max(number - 2, 0) : number + 3].mean())


def test_noise_around_a_low_loss_is_no_explosion():
    """As with --init_from a good model: 0.02 nats, now and then 0.5."""
    losses = np.where(np.random.default_rng(0).random(200) < 0.1, 0.5, 0.02)
    assert curve_of(losses).num_stable == 200
    assert not curve_of(losses).explodes


@pytest.mark.parametrize("losses", [[9.0] * 50, np.linspace(9, 20, 50), [3.0] * 20 + [900.0] * 5, [5.0]])
def test_a_loss_that_does_not_fall_suggests_nothing(losses):
    assert (curve_of(losses).suggestion, curve_of(losses).steepest) == (None, None)


def test_noise_is_seldom_taken_for_a_fall():
    """Batches of few images, whose losses differ; a fall of four times the noise is found in 200 of them."""
    rng = np.random.default_rng(0)
    flat = [curve_of(rng.normal(10, 2, count)).falls for count in (12, 50, 200) for _ in range(100)]
    assert sum(flat) < 15
    fall = np.repeat([10.0, 6.0], 100)
    assert all(curve_of(fall + rng.normal(0, 1, 200)).falls for _ in range(20))


def test_the_picture_ends_where_the_loss_explodes(tmp_path):
    curve = curve_of(typical())
    (left, right), (bottom, top) = axis_limits(curve)
    assert (left, right) == (1e-6, curve.rates[curve.num_stable - 1])
    assert bottom < min(curve.smoothed)
    assert max(curve.smoothed[: curve.num_stable]) < top < 40 < max(curve.losses)
    plot_curve(tmp_path / "a.png", curve)
    with Image.open(tmp_path / "a.png") as picture:
        assert (picture.format, picture.size) == ("PNG", (800, 500))
        pixels = np.array(picture.convert("RGB")).reshape(-1, 3).astype(int)
    is_red = (pixels[:, 0] > 180) & (pixels[:, 1:] < 90).all(axis=1)
    is_blue = (pixels[:, 2] > 150) & (pixels[:, 0] < 80)
    assert is_red.sum() > 100
    assert is_blue.sum() > 500
    for odd in ([5.0], [9.0] * 12):
        plot_curve(tmp_path / "a.png", curve_of(odd, count=12))
    with pytest.raises(RunError, match="none/a.png: cannot be written"):
        plot_curve(tmp_path / "none" / "a.png", curve)


def test_the_numbers_of_the_curve(tmp_path):
    curve = curve_of([3.0, 2.0, 1.0], 1e-3, 1e-1)
    write_curve(tmp_path / "a.csv", curve)
    assert (tmp_path / "a.csv").read_text() == (
        "update,learning_rate,loss,smoothed_loss\n1,0.001,3,2.5\n2,0.01,2,2\n3,0.1,1,1.5\n"
    )


def test_each_update_has_its_own_rate(ubuntu_font):
    """And goes on after the end of an epoch, which has four batches."""
    source = make_source(ubuntu_font)
    settings = training(optimizer="sgd", momentum=0.0, clip_gradient=0.0, learning_rate=99.0, schedule="one_cycle")
    iterator = streamed(source, SMALL.training.samples_per_epoch)
    trainer = Trainer(Model(settings, Alphabet(("0", "1"))), iterator, [mx.cpu()])
    seen = [weights(trainer)]
    losses = []
    for loss in losses_at(trainer.updates, [0.0, 1e-3, 0.0, 0.0, 0.0, 1e-3], iterator):
        losses.append(loss)
        seen.append(weights(trainer))
    changes = [max(np.abs(after[n] - before[n]).max() for n in before) for before, after in zip(seen, seen[1:])]  # noqa: B905
    assert [change > 0 for change in changes] == [False, True, False, False, False, True]
    assert len(losses) == 6
    assert all(np.isfinite(losses))


def run(folder: Path, font: str, *arguments: str) -> Done:
    return run_here(lr_find.main, folder, font, *NETWORK, *arguments)


def test_a_run_on_captchas(tmp_path, ubuntu_font):
    """Only what is asked for is written, and no process is left."""
    done = run(tmp_path, ubuntu_font, "--num_updates=60", "--min_rate=1e-5", "--max_rate=10", "--plot=new/a.png",
               "--csv=a.csv")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert multiprocessing.active_children() == []
    assert {path.name for path in tmp_path.iterdir()} == {"new", "a.csv"}
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.png"]
    with Image.open(tmp_path / "new" / "a.png") as picture:
        assert picture.size == (800, 500)
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    rates, losses = ([float(row[name]) for row in rows] for name in ("learning_rate", "loss"))
    assert rates == pytest.approx(rising_rates(1e-5, 10, 60)[: len(rows)], rel=1e-4)
    assert min(losses) < 0.8 * losses[0]
    suggested = float(done.stdout.partition("--learning_rate ")[2].split()[0])
    assert 1e-5 < suggested < 10
    assert "Wrote new/a.png\nWrote a.csv\n" in done.stdout

    again = run(tmp_path, ubuntu_font, "--num_updates=60", "--csv=a.csv")
    assert (again.returncode, again.stdout) == (2, "")
    assert "a.csv: exists already: replace it with --overwrite" in again.stderr


def test_without_matplotlib_the_extra_is_named_before_anything_is_done(tmp_path, ubuntu_font, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for flags in ((), ("--plot=a.png",), ("--plot=a.png", "--csv=a.csv")):
        done = run(tmp_path, ubuntu_font, *flags)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == ("ctc-ocr lr-find: error: matplotlib is not installed: pip install 'ctc_ocr[plots]'\n")
    assert list(tmp_path.iterdir()) == []
    done = run(tmp_path, ubuntu_font, "--csv=a.csv", "--num_updates=10", "--min_rate=1e-3")
    assert done.returncode in (0, 1), done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


@pytest.mark.slow
def test_it_starts_from_a_model(tmp_path, ubuntu_font):
    """The first loss, before any update, is that model's, whose network and size of images are taken."""
    short = ["--num_epoch=2", "--samples_per_epoch=160", "--validation_samples=16", "--learning_rate=0.02"]
    assert run_here(train.main, tmp_path, ubuntu_font, *NETWORK, *short, "--overwrite").returncode == 0
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def first_loss(*arguments: str) -> float:
        done = run_here(main.main, tmp_path, "lr-find", ubuntu_font, "--alphabet=01", "--min_length=1",
                        "--max_length=2", "--draw_width=80", "--renderer=captcha", "--batch_size=8", "--num_proc=1",
                        "--cpu=1", "--num_updates=10", "--csv=a.csv", "--overwrite", *arguments)  # fmt: skip
        assert done.returncode in (0, 1), done.stderr
        return float((tmp_path / "a.csv").read_text().splitlines()[1].split(",")[2])

    shape = ["--width=40", "--height=20", "--num_layers=1", "--num_hidden=16"]
    assert first_loss("--init_from=ocr") < 0.5 * first_loss(*shape)
    (tmp_path / "a.csv").unlink()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_rate_that_is_much_too_high_ends_it_without_an_error(tmp_path, ubuntu_font):
    done = run(tmp_path, ubuntu_font, "--num_updates=20", "--min_rate=1e-3", "--max_rate=1e37", "--csv=a.csv")
    assert done.returncode in (0, 1), done.stderr  # the few losses before it may tell nothing
    assert "the loss explodes at " in done.stdout
    assert len((tmp_path / "a.csv").read_text().splitlines()) < 20


def test_labelled_images_and_a_loss_that_does_not_fall(tmp_path, ubuntu_font):
    generate = ["generate", "--count=12", "--seed=1", "--alphabet=ab", "--output_dir=photos", ubuntu_font]
    assert run_here(main.main, tmp_path, *generate).returncode == 0
    config = {
        "data": {"height": 16, "width": 64}, "training": {"batch_size": 11}, "augmentation": {"augment": False},
        "network": {"features": [4], "kernels": [3], "strides": [1], "pool_heights": [4], "pool_widths": [4],
                    "num_hidden": 8, "dropout": 0.0},
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    done = run_here(main.main, tmp_path, "lr_find", "--data=photos", "--config=config.json", "--num_updates=12",
                    "--min_rate=1e-9", "--max_rate=1e-8", "--csv=a.csv", "--num_proc=1", "--cpu=1")  # fmt: skip
    assert done.returncode == 1
    assert "ctc-ocr lr-find: error: the loss does not fall: no learning rate is suggested" in done.stderr
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 13


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"min_rate": 0.0}, "min_rate: expected a number above 0 and below max_rate, 1; got 0"),
        ({"min_rate": 2.0}, "min_rate: expected a number above 0 and below max_rate"),
        ({"max_rate": float("inf")}, "min_rate: expected a number above 0 and below max_rate, inf"),
        ({"num_updates": 9}, "num_updates: expected 10 or more, got 9"),
    ],
)
def test_bad_numbers_from_python(changes, said):
    with pytest.raises(InputError, match=said):
        ctc_ocr.find_learning_rate(**changes)
