"""Every hyperparameter changes something: what the network is fed, its graph, or what it learns of the same batches."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ctc_ocr import losses, symbols
from ctc_ocr.cli.data_options import hyperparameters
from ctc_ocr.cli.generate import main as generate
from ctc_ocr.cli.train import _data, parser
from ctc_ocr.config.hyperparameters import Hyperparameters, options
from ctc_ocr.generation.pool import BatchSource
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.training.data import training_data
from ctc_ocr.training.settings import Captchas
from tests import (
    test_budget,
    test_divergence,
    test_freezing,
    test_run_files,
    test_running_average,
    test_schedules,
    test_straightening,
    test_text_region,
    test_training,
    test_views,
    test_workers,
)

# name: (flags that both runs have, what is added in one of them)
FED_CAPTCHAS = {
    "alphabet": ("", "--alphabet=01"),
    "min_length": ("", "--min_length=1"),
    "max_length": ("", "--max_length=5"),
    "renderer": ("", "--renderer=captcha"),
    "draw_width": ("", "--draw_width=120"),
    "draw_height": ("", "--draw_height=50"),
    "width": ("", "--width=70"),
    "height": ("", "--height=20"),
    "batch_size": ("", "--batch_size=4"),
    "samples_per_epoch": ("", "--samples_per_epoch=100"),
    "validation_samples": ("", "--validation_samples=20"),
    "seed": ("", "--seed=1"),
}
FED_IMAGES = {
    "top_edge": ("", "--top_edge=0.2"),
    "bottom_edge": ("", "--bottom_edge=0.8"),
    "height": ("", "--height=32"),
    "width": ("", "--width=64"),
    "keep_ratio": ("", "--keep_ratio=false"),
    "letterbox": ("--keep_ratio=false", "--letterbox=true"),
    "channels": ("", "--channels=3"),
    "ink": ("", "--ink=light"),
    "binarise": ("", "--binarise=otsu"),
    "grey": ("", "--grey=min"),
    "writing": ("--max_invalid=1", "--writing=vertical"),
    "normalise": ("", "--normalise=fixed"),
    "input_mean": ("", "--input_mean=200"),  # what images are padded with
    "batch_size": ("", "--batch_size=3"),
    "samples_per_epoch": ("", "--samples_per_epoch=100"),
    "seed": ("", "--seed=1"),
    "balance": ("", "--balance=1"),
    "validation_fraction": ("", "--validation_fraction=0.4"),
    "alphabet": ("", "--alphabet=dcbaé"),
    "max_units": ("--max_invalid=1", "--max_units=2"),
    "unicode_form": ("", "--unicode_form=NFD"),
    "strip_accents": ("", "--strip_accents"),
    "augment": ("", "--augment=false"),
    "max_rotation": ("", "--max_rotation=5"),
    "max_shear": ("", "--max_shear=0"),
    "max_scale": ("", "--max_scale=0"),
    "max_padding": ("", "--max_padding=0"),
    "max_shift": ("", "--max_shift=0"),
    "max_warp": ("", "--max_warp=0.05"),
    "max_brightness": ("", "--max_brightness=0"),
    "max_contrast": ("", "--max_contrast=0"),
    "max_blur": ("", "--max_blur=0"),
    "max_noise": ("", "--max_noise=9"),
    "max_hue": ("--channels=3", "--max_hue=30"),
    "max_saturation": ("--channels=3", "--max_saturation=0.5"),
}
GRAPH = {
    "architecture": ("", "--architecture=crnn"),
    "lstm_graph": ("", "--lstm_graph=unrolled"),
    "num_layers": ("", "--num_layers=3"),
    "num_hidden": ("", "--num_hidden=7"),
    "input_mean": ("", "--input_mean=200"),
    "input_scale": ("", "--input_scale=10"),
    "loss": ("", "--loss=warpctc"),
    "features": ("--preset=crnn", "--features=8,8,8,8"),
    "kernels": ("--preset=crnn", "--kernels=3,3,3,5"),
    "strides": ("--preset=crnn --height=60", "--strides=2,1,1,1"),
    "pool_heights": ("--preset=crnn", "--pool_heights=2,2,2,1"),
    "pool_widths": ("--preset=crnn", "--pool_widths=2,1,1,1"),
    "batch_norm": ("--preset=crnn", "--batch_norm=false"),
    "dropout": ("--preset=crnn", "--dropout=0.5"),
    "norm_place": ("--preset=crnn", "--norm_place=after"),
    "residual": ("--preset=crnn --features=8,8,8,8 --pool_heights=2,1,2,2 --pool_widths=2,1,1,2", "--residual=true"),
    "pooling": ("--architecture=cnn", "--pooling=average"),
    "dense": ("--architecture=cnn", "--dense=none"),
    "label_smoothing": ("--architecture=cnn --loss=softmax", "--label_smoothing=0.1"),
}
# What updates and epochs do has tests of its own.
ELSEWHERE = {
    test_schedules.test_each_setting_of_the_optimizer_changes_what_is_learned: {
        "optimizer", "learning_rate", "momentum", "weight_decay", "warmup_updates", "schedule", "clip_gradient", "seed",
        "num_epoch",
    },
    test_schedules.test_the_rate_falls_while_validation_stands_still_and_a_resumed_run_does_the_same: {
        "plateau_patience",
    },
    test_workers.test_several_workers_compute_what_one_does: {"workers"},
    test_schedules.test_plateau_falls_by_its_factor: {"plateau_factor"},
    test_schedules.test_a_run_stops_that_stands_still_and_stays_stopped: {"stop_patience"},
    test_budget.test_minutes_bound_a_run_and_its_schedule_follows: {"max_minutes"},
    test_budget.test_the_decay_is_a_fraction_of_the_epochs_before_it: {"decay_fraction"},
    test_run_files.test_the_newest_checkpoints_and_the_best_are_kept: {"keep"},
    test_divergence.test_a_run_goes_back_to_the_last_epoch_with_half_the_rate: {"on_divergence"},
    test_divergence.test_a_state_within_an_epoch_goes_on_to_the_bit: {"checkpoint_minutes"},
    test_running_average.test_a_checkpoint_has_the_average_and_training_goes_on_without: {"average_power"},
    test_freezing.test_frozen_layers_do_not_change_to_the_bit: {"freeze"},
    test_training.test_target_accuracy_ends_the_run: {"target_accuracy"},
    test_text_region.test_cropped_images_are_of_the_networks_channels: {"crop"},
    test_straightening.test_the_network_is_given_straightened_images_in_training_and_later: {"straighten"},
    test_views.test_a_model_says_how_many_views_are_read: {"views"},
}  # fmt: skip


def test_no_hyperparameter_is_forgotten() -> None:
    shown = {*FED_CAPTCHAS, *FED_IMAGES, *GRAPH, *set().union(*ELSEWHERE.values())}
    assert not set(options()) - shown


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory, fonts_folder: Path) -> Path:
    """16 small captchas of different widths, in colours, with labels of two or three of é, b and c."""
    folder = tmp_path_factory.mktemp("photos")
    arguments = ["--count=16", "--alphabet=abc", "--min_length=2", "--max_length=3", "--seed=3", "--num_proc=1"]
    assert generate([*arguments, "--output_dir", str(folder / "all"), str(fonts_folder / "Ubuntu-M.ttf")]) == 0
    for number, path in enumerate(sorted((folder / "all").glob("*.png"))):
        with Image.open(path) as opened:
            grey = opened.convert("L").resize((40 + 4 * number, 30))
        Image.merge("RGB", (grey, grey.point(lambda level: level // 2), grey.point(lambda level: 128))).save(path)
    labels = folder / "all" / "labels.csv"
    labels.write_text(labels.read_text(encoding="utf-8").replace(",a", ",é"), encoding="utf-8")
    return folder / "all"


@pytest.mark.parametrize("name", FED_CAPTCHAS)
def test_captchas_that_are_fed(name: str, ubuntu_font: str) -> None:
    common, change = FED_CAPTCHAS[name]
    one, again, other = (fed_captchas(ubuntu_font, *common.split(), *each) for each in ([], [], [change]))
    assert one == again != other


@pytest.mark.parametrize("name", FED_IMAGES)
def test_images_that_are_fed(name: str, photos: Path) -> None:
    common, change = FED_IMAGES[name]
    one, again, other = (fed_images(photos, *common.split(), *each) for each in ([], [], [change]))
    assert one == again != other


@pytest.mark.parametrize("name", GRAPH)
def test_graphs(name: str) -> None:
    common, change = GRAPH[name]
    one, again, other = (graph(*common.split(), *each) for each in ([], [], [change]))
    assert one == again != other


def settings_of(*flags: str) -> Hyperparameters:
    return hyperparameters(parser().parse_args(flags))


def fed_captchas(font: str, *flags: str) -> Sequence[object]:
    data = training_data(settings_of("--validation_samples=40", *flags), Captchas(font))
    return data.alphabet, data.samples_per_epoch, data.num_validation, digest(data.train, 1), digest(data.validation, 1)


def fed_images(folder: Path, *flags: str) -> Sequence[object]:
    small = ("--preset=word", "--height=20", "--width=96", "--batch_size=4", "--validation_fraction=0.2")
    arguments = parser().parse_args(["--data", str(folder), *small, *flags])
    data = training_data(hyperparameters(arguments), _data(arguments))
    digests = digest(data.train, 3), digest(data.validation, 1)
    return data.alphabet, data.samples_per_epoch, data.num_validation, digests


def digest(source: BatchSource, num_batches: int) -> str:
    found = hashlib.sha256()
    for number in range(num_batches):
        arrays = {name: np.zeros(spec.shape, spec.dtype) for name, spec in source.specs().items()}
        source.fill(number, arrays)
        for array in arrays.values():
            found.update(f"{array.shape}".encode() + array.tobytes())
    return found.hexdigest()


def graph(*flags: str) -> str:
    settings = settings_of(*flags)
    with mx.name.NameManager():
        logits = symbols.logits(mx.sym.Variable("data"), settings, 11)
        training, label = settings.training, mx.sym.Variable("label")
        return str(losses.attach(training.loss, logits, label, None, training.label_smoothing).tojson())
