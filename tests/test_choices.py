"""What a network is given follows from the labelled images, unless the user says what it is."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

import ctc_ocr
from ctc_ocr.alphabet import Alphabet
from ctc_ocr.checkpoint.description import Model
from ctc_ocr.cli.data_options import names_to_choose
from ctc_ocr.cli.train import main as train
from ctc_ocr.cli.train import parser, session_of
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.config.presets import preset
from ctc_ocr.config.taller_images import for_height
from ctc_ocr.datasets.checking import CheckedSample, CheckedSamples, CheckResult, check_source
from ctc_ocr.datasets.choices import CHOSEN, FindRegion, FoundRegion, choose
from ctc_ocr.datasets.labelled import LabelledBatches
from ctc_ocr.datasets.preview import preview
from ctc_ocr.datasets.samples import Sample
from ctc_ocr.images.pixels import Pixels, invert
from ctc_ocr.images.region import WHOLE, Region
from ctc_ocr.training.data import training_data
from ctc_ocr.training.session import TrainingSession
from ctc_ocr.training.settings import LabelledImages, RunOptions
from tests.commands import run_here
from tests.pictures import HEIGHT, WIDTH, write_pictures

WORD = preset("word")
WITHOUT_CHANGES = preset("word", augmentation={"augment": False})


def label(number: int) -> str:
    return f"{1000 + 7919 * number % 9000}"


def captcha(number: int, height: int = 60, width: int = 160, light: bool = False) -> Pixels:
    """Characters over most of the height."""
    image = np.full((height, width, 3), 230, np.uint8)
    cv2.putText(image, label(number), (5, 3 * height // 4), cv2.FONT_HERSHEY_SIMPLEX, height / 45, (40, 40, 90), 3)
    return invert(image) if light else image


def checked(folder: Path, *images: Pixels) -> CheckResult:
    """The images and labels of four digits, in a folder, checked."""
    folder.mkdir(exist_ok=True)
    for number, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{label(number)}.png")
    return check_source(folder)


def of_sizes(*samples: tuple[tuple[int, int], str]) -> CheckResult:
    """Samples of (width, height) and label, without files."""
    return CheckResult(
        CheckedSamples.of(
            CheckedSample(Sample(f"{number}.png", tuple(text), f"row {number}"), size, b"%016d" % number, False)
            for number, (size, text) in enumerate(samples)
        )
    )


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory, ubuntu_font: str) -> Path:
    folder = tmp_path_factory.mktemp("choices") / "pictures"
    write_pictures(folder, 16, ubuntu_font, light=True)
    return folder


def test_ordinary_captchas_change_nothing(tmp_path: Path) -> None:
    samples = checked(tmp_path / "a", *map(captcha, range(6)))
    assert choose(WORD, samples, CHOSEN) == (WORD, samples)


def test_small_text_in_large_pictures_is_cut_out(pictures: Path, caplog: pytest.LogCaptureFixture) -> None:
    samples = check_source(pictures)
    assert {each.size for each in samples.samples} == {(WIDTH, HEIGHT)}
    with caplog.at_level(logging.INFO, "ctc_ocr"):
        settings, cut = choose(WORD, samples, CHOSEN)
    assert (settings.data.crop, settings.data.ink, settings.data.height) == ("text", "light", 40)
    assert "chosen from the images: height 40, up to" in caplog.text
    assert "light ink, the line of text cut out; --crop, --ink, --height, --width would change it" in caplog.text
    assert all(each.size[1] < HEIGHT / 4 for each in cut.samples)
    assert [each.digest for each in cut.samples] == [each.digest for each in samples.samples]
    # What the samples say is what the network is given.
    data = training_data(settings, LabelledImages(pictures))
    assert data.light_ink == 1.0
    batches = data.validation
    assert isinstance(batches, LabelledBatches)
    assert {each.size for each in batches.images} <= {each.size for each in cut.samples}
    arrays = {name: np.zeros(spec.shape, spec.dtype) for name, spec in batches.specs().items()}
    batches.fill(0, arrays)
    widths = [settings.geometry.steps_of(*each.size) for each in batches.images]
    assert sorted(arrays["steps"][: len(widths)]) == sorted(widths)


@pytest.mark.parametrize(("chosen", "is_said"), [(None, True), (["width"], True), (["ink"], False), ((), False)])
def test_ink_that_is_another_than_it_seems_is_said_once(
    pictures: Path, caplog: pytest.LogCaptureFixture, chosen: list[str] | None, is_said: bool
) -> None:
    """Not where it was found by the starter, which may differ, and is kept by a resumed run and by folds."""
    data = LabelledImages(pictures, choose=chosen)
    training_data(WORD, data)
    assert (" of 16 images seem to have light ink on dark paper: use --ink light" in caplog.text) == is_said


def test_what_has_another_height_in_each_picture_is_no_line_of_text(tmp_path: Path) -> None:
    pictures = []
    for number, size in enumerate((0.5, 0.6, 0.7, 1.8, 5.0, 5.5, 6.0)):
        picture = np.full((360, 640, 3), 230, np.uint8)
        cv2.putText(picture, label(number), (20, 200), cv2.FONT_HERSHEY_SIMPLEX, size, (40, 40, 90), 3)
        pictures.append(picture)
    settings, _ = choose(WORD, checked(tmp_path / "a", *pictures), ["crop"])
    assert settings.data.crop == "none"
    settings, _ = choose(WORD, checked(tmp_path / "b", *pictures[:3]), ["crop"])
    assert settings.data.crop == "text"


def test_a_file_that_is_gone_when_it_is_read_again_is_invalid(tmp_path: Path) -> None:
    samples = checked(tmp_path / "a", *map(captcha, range(4)))
    (tmp_path / "a" / f"{label(2)}.png").unlink()
    cut = samples.cropped(Region("text"))
    assert len(cut.samples) == 3
    assert len(cut.invalid) == len(samples.invalid) + 1


def test_a_start_that_crops_does_not_make_captchas_be_cropped(tmp_path: Path) -> None:
    samples = checked(tmp_path / "a", *map(captcha, range(4)))
    settings, again = choose(preset("word", data={"crop": "text"}), samples.cropped(Region("text")), ["crop"])
    assert settings.data.crop == "none"
    assert again == samples


@pytest.mark.parametrize(("num_light", "ink"), [(0, "dark"), (10, "auto"), (20, "light"), (19, "auto")])
def test_the_ink_is_that_of_nearly_all_images(num_light: int, ink: str, tmp_path: Path) -> None:
    samples = checked(tmp_path / "a", *(captcha(number, light=number < num_light) for number in range(20)))
    assert choose(WORD, samples, ["ink"])[0].data.ink == ink


def width(settings: Hyperparameters, *samples: tuple[tuple[int, int], str]) -> int:
    return choose(settings, of_sizes(*samples), ["width"])[0].data.width


def test_the_widest_image_is_not_squeezed() -> None:
    assert width(WITHOUT_CHANGES, ((400, 40), "abc"), ((50, 40), "abc")) == 400
    assert width(WITHOUT_CHANGES, ((401, 40), "abc")) == 408
    assert width(WITHOUT_CHANGES, ((100, 40), "abc")) == 192  # the least is that of the preset
    assert width(WITHOUT_CHANGES, ((4000, 40), "abc")) == 1200
    assert width(WORD, ((400, 40), "abc")) == 448  # 1.1 times as wide, and 4 columns of padding at either side


def test_a_long_label_gets_its_time_steps_beyond_the_bound() -> None:
    columns = WORD.geometry.columns_per_step
    text = "ab" * 200
    assert width(WORD, ((4000, 40), text)) == 1.5 * len(text) * columns
    assert width(WORD, ((4000, 40), "a" * 400)) == -(-799 * columns // 8) * 8  # blanks between equal neighbours
    assert width(WORD, ((1500, 40), text)) == 1504  # no image is wider
    stretched = replace(WORD, data=replace(WORD.data, keep_ratio=False))
    assert width(stretched, ((100, 40), text)) == 1.5 * len(text) * columns
    assert width(stretched, ((1000, 40), "abc")) == 192


def test_the_height_grows_where_there_are_too_few_time_steps(tmp_path: Path) -> None:
    def height(settings: Hyperparameters, *samples: tuple[tuple[int, int], str]) -> int:
        return choose(settings, of_sizes(*samples), ["height"])[0].data.height

    assert height(WORD, ((100, 40), "abcdefgh")) == 40
    assert height(WORD, ((100, 40), "abcdefgh" * 3)) == 64  # 36 time steps of four columns
    assert height(WORD, ((100, 40), "abcdefgh" * 9)) == 96
    assert height(WORD, *[((100, 40), "abc")] * 19, ((100, 40), "abcdefgh" * 3)) == 40  # not for one of twenty
    samples = checked(tmp_path / "a", *map(captcha, range(4)))
    assert choose(WORD, samples, ["height"])[0].data.height == 40


def found(likelihood: float | None) -> FindRegion:
    """What a model chooses that finds no better region, and the labels as likely as that (nats per unit)."""
    return lambda samples, region, ink, seed, names, is_straight: FoundRegion(region, likelihood)


def test_images_that_a_model_can_hardly_read_get_more_pixels() -> None:
    def chosen(likelihood: float | None, *sizes: tuple[int, int]) -> Hyperparameters:
        samples = of_sizes(*((size, "1234") for size in sizes))
        return choose(WORD, samples, ["height"], found(likelihood))[0]

    for likelihood in (None, -0.1, -0.7):
        assert chosen(likelihood, (160, 60)) == WORD
    taller = chosen(-0.8, (160, 56))
    assert (taller.data.height, taller.network.pool_heights) == (56, (2, 2, 1, 2, 3))
    assert chosen(-9.0, (400, 250)).data.height == 64
    assert chosen(-9.0, (100, 30)) == WORD  # they have no more pixels
    assert chosen(-9.0, (200, 80), (100, 30), (100, 30)) == WORD  # nor have most


def test_the_rows_are_chosen_before_the_height(tmp_path: Path) -> None:
    asked = []

    def find(samples: object, region: Region, ink: str, seed: int, names: object, is_straight: bool) -> FoundRegion:
        asked.append(region)
        return FoundRegion(replace(WHOLE, top=0.25, bottom=0.75), -3.0)

    samples = checked(tmp_path / "a", captcha(0, height=120, width=400))
    settings, cut = choose(WORD, samples, ["height", "top_edge", "bottom_edge"], find)
    assert asked == [WHOLE]
    assert (settings.data.height, settings.data.top_edge, settings.data.bottom_edge) == (64, 0.25, 0.75)
    assert cut.samples[0].size == (400, 60)
    settings, cut = choose(WORD, samples, ["top_edge", "bottom_edge"], find)
    assert (settings.data.height, settings.data.top_edge, cut.samples[0].size) == (40, 0.25, (400, 60))


def test_a_model_may_find_more_in_whole_pictures(pictures: Path) -> None:
    def whole(samples: object, region: Region, ink: str, seed: int, names: object, is_straight: bool) -> FoundRegion:
        assert region.crop == "text"
        return FoundRegion(replace(region, crop="none"))

    settings, samples = choose(WORD, check_source(pictures), ["crop"], whole)
    assert settings.data.crop == "none"
    assert {each.size for each in samples.samples} == {(WIDTH, HEIGHT)}


def test_a_model_is_shown_the_ink_that_the_user_names() -> None:
    asked = []

    def find(samples: object, region: Region, ink: str, seed: int, names: object, is_straight: bool) -> FoundRegion:
        asked.append(ink)
        return FoundRegion(region, ink=ink)

    light = replace(WORD, data=replace(WORD.data, ink="light"))
    for chosen in (["top_edge", "bottom_edge"], ["ink"]):
        choose(light, of_sizes(((100, 40), "abc")), chosen, find)
    assert asked == ["light", "auto"]


def test_ink_is_dark_in_the_grey_paper(tmp_path: Path) -> None:
    def by_paper(samples: object, region: Region, ink: str, seed: int, names: object, is_straight: bool) -> FoundRegion:
        return FoundRegion(replace(region, grey="paper"))

    samples = checked(tmp_path / "a", captcha(0), captcha(1), invert(captcha(2)), invert(captcha(3)))
    assert choose(WORD, samples, ["ink"], found(-1.0))[0].data.ink == "auto"
    assert choose(WORD, samples, ["ink", "grey"], by_paper)[0].data.ink == "dark"


def test_the_width_follows_the_greater_height() -> None:
    samples = of_sizes(((500, 100), "abcdefgh"))
    settings, _ = choose(WITHOUT_CHANGES, samples, ["height", "width"], found(-1.0))
    assert (settings.data.height, settings.data.width) == (64, 320)


def test_the_height_grows_if_small_text_must_not_be_cut_out(pictures: Path) -> None:
    settings, samples = choose(WORD, check_source(pictures), ["height", "width"])
    assert settings.data.crop == "none"
    assert settings.data.height == 96
    assert samples.samples[0].size == (WIDTH, HEIGHT)


def test_nothing_is_chosen_without_names_or_samples() -> None:
    assert choose(WORD, of_sizes(((4000, 40), "abc")), ())[0] == WORD
    assert choose(WORD, CheckResult(CheckedSamples.of(())), CHOSEN)[0] == WORD


def names(*flags: str) -> set[str]:
    return {*names_to_choose(parser().parse_args(["--data=x", *flags]))}


def test_what_flags_presets_and_files_say_is_not_chosen(tmp_path: Path) -> None:
    (tmp_path / "ink.json").write_text('{"data": {"ink": "auto"}}')
    (tmp_path / "training.json").write_text('{"training": {"num_epoch": 2}}')
    assert names() == {*CHOSEN}
    assert names("--width=200", "--crop=none") == {*CHOSEN} - {"width", "crop"}
    named = {"crop", "top_edge", "bottom_edge", "grey", "straighten", "ink", "views"}
    assert names("--preset=word") == names("--preset=lstm") == named
    assert names(f"--config={tmp_path / 'ink.json'}") == {*CHOSEN} - {"ink"}
    assert names(f"--config={tmp_path / 'training.json'}") == {*CHOSEN}


def test_in_python_all_is_chosen_unless_hyperparameters_are_given(pictures: Path, tmp_path: Path) -> None:
    def chosen(settings: Hyperparameters | None, data: LabelledImages, **options: object) -> tuple[str, ...]:
        session = TrainingSession(settings, data, RunOptions(str(tmp_path / "r"), **options))  # type: ignore[arg-type]
        assert isinstance(session.data, LabelledImages)
        return tuple(session.data.choose or ())

    data = LabelledImages(pictures)
    assert chosen(None, data) == CHOSEN
    assert chosen(None, data, resume=True) == ()
    assert chosen(WORD, data) == ()
    assert chosen(WORD, replace(data, choose=["ink"])) == ("ink",)
    assert chosen(None, replace(data, choose=())) == ()
    assert chosen(WORD, replace(data, choose="all")) == CHOSEN
    assert chosen(WORD, replace(data, choose="all"), init_from="starter") == tuple(
        name for name in CHOSEN if name != "height"
    )
    assert chosen(WORD, replace(data, choose="all"), resume=True) == ()
    accepted = "crop, top_edge, bottom_edge, grey, straighten, ink, height, width"
    with pytest.raises(ctc_ocr.InputError, match=f"'colour' is not one of {accepted}"):
        LabelledImages(pictures, choose=["colour"])


def test_python_can_choose_as_the_command_does_with_a_flag_of_training(pictures: Path, tmp_path: Path) -> None:
    given = parser().parse_args([f"--data={pictures}", "--num_epoch=5", f"--prefix={tmp_path / 'r'}"])
    command = session_of(given)
    data, options = LabelledImages(pictures, choose="all"), RunOptions(str(tmp_path / "r"))
    session = TrainingSession(preset("word", training={"num_epoch": 5}), data, options)
    assert isinstance(command.data, LabelledImages)
    assert isinstance(session.data, LabelledImages)
    assert (session.hyperparameters, session.data.choose) == (command.hyperparameters, command.data.choose)


@pytest.mark.parametrize(
    ("settings", "choose", "is_said"), [(WORD, None, True), (WORD, (), False), (WORD, ["ink"], False)]
)
def test_it_is_said_that_nothing_is_chosen(
    pictures: Path, caplog: pytest.LogCaptureFixture, settings: Hyperparameters, choose: Any, is_said: bool
) -> None:
    caplog.set_level("INFO", logger="ctc_ocr")
    TrainingSession(settings, LabelledImages(pictures, choose=choose), RunOptions(progress=False)).checked_images()
    said = [line for line in caplog.messages if line.startswith("Hyperparameters are given, so nothing is chosen")]
    assert len(said) == is_said


def test_a_resumed_run_has_the_choices_of_its_beginning(pictures: Path, tmp_path: Path) -> None:
    taller = for_height(WORD, 64)
    of_run = replace(taller, data=replace(taller.data, ink="light", width=320, crop="text"))
    (tmp_path / "r.json").write_text(Model(of_run, Alphabet(("a", "b"))).to_json())
    given = preset("word", training={"num_epoch": 3, "workers": 1})

    def resumed(choose: Any) -> Hyperparameters:
        data, options = LabelledImages(pictures, choose=choose), RunOptions(str(tmp_path / "r"), resume=True)
        return TrainingSession(given, data, options).hyperparameters

    everything = resumed("all")
    assert (everything.data, everything.network) == (of_run.data, of_run.network)
    assert everything.training == given.training
    assert resumed(["ink"]) == replace(given, data=replace(given.data, ink="light"))
    assert resumed(None) == resumed(()) == given


@pytest.mark.slow
def test_a_run_keeps_what_was_chosen(pictures: Path, tmp_path: Path) -> None:
    """Training, resuming, starting from it, and reading: all prepare the images in the same way."""
    network = ("--features=8,8", "--kernels=3,3", "--strides=1,1", "--pool_heights=4,4", "--pool_widths=2,2")
    small = (*network, "--num_hidden=8", "--batch_size=4", "--warmup_updates=0", "--cpu=1", "--num_proc=1")
    done = run_here(train, tmp_path, f"--data={pictures}", *small, "--num_epoch=1")
    assert done.returncode == 0, done.stderr
    assert "the line of text cut out; --crop, --ink, --height, --width would change it" in done.stderr
    assert "seem to have light ink on dark paper: use" not in done.stderr
    data = read_data(tmp_path / "ocr.json")
    assert (data.crop, data.ink) == ("text", "light")
    predictor = ctc_ocr.Predictor(tmp_path / "ocr")
    assert predictor.light_ink == 1.0
    prepared = predictor.prepare(pictures / "000.png")
    assert prepared.shape[1] > 80  # the whole picture has 71 columns at this height
    assert (predictor.prepare(np.array(Image.open(pictures / "000.png"))) == prepared).all()
    evaluated = ctc_ocr.evaluate(predictor, pictures)
    assert evaluated.num_inverted == 0

    options: dict[str, Any] = {"resume": True, "num_proc": 1, "progress": False}
    resumed = ctc_ocr.train(None, str(pictures), tmp_path / "ocr", **options)
    assert (resumed.newest_epoch, resumed.finished) == (1, True)
    # As a script that is started again: with the hyperparameters that it had before the choices.
    began = replace(predictor.hyperparameters, data=WORD.data)
    once_more = ctc_ocr.train(began, LabelledImages(pictures, choose="all"), tmp_path / "ocr", **options)
    assert (once_more.newest_epoch, once_more.finished) == (1, True)
    again = run_here(
        train, tmp_path, f"--data={pictures}", f"--init_from={tmp_path / 'ocr'}", "--prefix=next", "--num_epoch=1",
        "--batch_size=4", "--cpu=1", "--num_proc=1", "--crop=none", "--ink=dark",
    )  # fmt: skip
    assert again.returncode == 0, again.stderr
    data = read_data(tmp_path / "next.json")
    assert (data.crop, data.ink, data.height) == ("none", "dark", 40)


def read_data(path: Path) -> ctc_ocr.Data:
    return Model.from_json(path.read_bytes(), path).hyperparameters.data


def test_a_preview_shows_what_would_be_chosen(pictures: Path) -> None:
    def size(names: tuple[str, ...]) -> tuple[int, int]:
        return preview(pictures, WITHOUT_CHANGES, count=4, choose=names).image.size

    assert size(CHOSEN) != size(())
