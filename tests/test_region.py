"""The rows of images that are read: cut out, added, and chosen by what the starter model makes of the labels."""

from collections.abc import Collection
from dataclasses import replace
from functools import partial
from pathlib import Path
from unittest.mock import MagicMock

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

import ctc_ocr
from ctc_ocr.cli.train import main as train
from ctc_ocr.config.presets import preset
from ctc_ocr.config.sections import Data
from ctc_ocr.datasets.checking import CheckResult, check_source
from ctc_ocr.datasets.choices import CHOSEN, HARD, OF_REGION, FoundRegion, choose
from ctc_ocr.images.preparation import prepare
from ctc_ocr.images.region import WHOLE, Region
from ctc_ocr.images.text_region import cut_text
from ctc_ocr.inference.label_likelihood import LabelLikelihood, Shown
from ctc_ocr.inference.likely_region import FEWEST, GUESSED, likely_region
from ctc_ocr.rendering.wild import WildRenderer
from tests.commands import run_here
from tests.pictures import write_pictures

Colour = tuple[int, int, int]

ROWS = np.repeat(np.arange(10, dtype=np.uint8)[:, np.newaxis], 3, axis=1)


@pytest.mark.parametrize(
    ("top", "bottom", "expected"),
    [
        (0.0, 1.0, [*range(10)]),
        (0.2, 0.7, [2, 3, 4, 5, 6]),
        (-0.2, 1.1, [0, 0, *range(10), 9]),
        (0.9, 0.99, [9]),
        (0.52, 0.58, [5]),
        (0.5, 1.3, [5, 6, 7, 8, 9, 9, 9, 9]),
    ],
)
def test_rows_are_cut_out_and_added(top: float, bottom: float, expected: list[int]) -> None:
    for image in (ROWS, np.stack([ROWS] * 3, axis=2)):
        cut = Region("none", top, bottom).cut(image)
        assert cut.dtype == np.uint8
        assert cut.shape[1:] == image.shape[1:]
        assert [row.flat[0] for row in cut] == expected


@pytest.mark.parametrize("height", [1, 2, 7])
@pytest.mark.parametrize(("top", "bottom"), [(0.0, 0.05), (0.95, 1.0), (-0.5, 0.05), (0.95, 1.5), (0.4, 0.5)])
def test_at_least_one_row_is_left(height: int, top: float, bottom: float) -> None:
    assert Region("none", top, bottom).cut(np.zeros((height, 5), np.uint8)).size > 0


def test_an_image_is_prepared_as_its_rows_alone() -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 90), dtype=np.uint8)
    whole, part = preset("word"), preset("word", data={"top_edge": 0.25, "bottom_edge": 0.75})
    np.testing.assert_array_equal(prepare(image, part), prepare(image[10:30], whole))
    assert Region.of(part.data) == Region("none", 0.25, 0.75)
    assert Region.of(Data()) == WHOLE


def test_rows_must_be_some() -> None:
    with pytest.raises(
        ctc_ocr.InputError, match=r"data.bottom_edge: bottom_edge must be at least 0.05 more than top_edge"
    ):
        preset("word", data={"top_edge": 0.5, "bottom_edge": 0.52})


@pytest.fixture(scope="module")
def low_text(tmp_path_factory: pytest.TempPathFactory, ubuntu_font: str) -> CheckResult:
    """Captchas of four digits, 40 pixels high, in pictures four times as high with many long lines in them."""
    folder = tmp_path_factory.mktemp("low")
    settings = Data(alphabet="0123456789", min_length=4, max_length=4)
    drawn = WildRenderer((ubuntu_font,), settings)
    generator = np.random.default_rng(1)
    for number in range(24):
        text = f"{1000 + 7919 * number % 9000}"
        captcha = drawn.render(text, generator)
        height, width = captcha.shape
        picture = np.full((4 * height, width), np.median(captcha), np.uint8)
        for _ in range(30):
            ends = (generator.random((2, 2)) * (width, height)).astype(int)
            for part in (picture[:height], picture[3 * height :]):
                cv2.line(part, ends[0].tolist(), ends[1].tolist(), 60, 2)
        picture[height : 2 * height] = captcha
        Image.fromarray(picture).save(folder / f"{text}.png")
    return check_source(folder)


def test_the_rows_of_the_text_are_found(low_text: CheckResult) -> None:
    found = likely_region("starter", low_text.samples).region
    assert found.crop == "none"
    assert 0.05 < found.top <= 0.3
    assert 0.45 <= found.bottom < 0.7
    assert likely_region("starter", low_text.samples).region == found


def test_whole_images_are_read_where_the_line_that_was_found_is_not_the_text(tmp_path: Path, ubuntu_font: str) -> None:
    """Under each number is a line of small print, the only one that is small enough to be cut out."""
    print_face = ImageFont.truetype(ubuntu_font, 14)
    for number in range(16):
        text = f"{1000 + 7919 * number % 9000}"
        image = Image.new("L", (220, 110), 230)
        draw = ImageDraw.Draw(image)
        draw.text((20, 0), text, font=ImageFont.truetype(ubuntu_font, 80), fill=60)
        draw.text((10, 92), "type what you see above, please", font=print_face, fill=0)
        image.save(tmp_path / f"{text}.png")
    samples = check_source(tmp_path)
    assert len(cut_text(np.array(image))[0]) < 40
    assert likely_region("starter", samples.samples, Region("text"), names=["crop"]).region == WHOLE
    as_the_user_says = likely_region("starter", samples.samples, Region("text"), names=["grey"])
    assert as_the_user_says.region == Region("text")


def test_a_line_that_is_the_text_is_cut_out(tmp_path: Path, ubuntu_font: str) -> None:
    write_pictures(tmp_path / "pictures", 16, ubuntu_font)
    samples = check_source(tmp_path / "pictures")
    settings, _ = choose(preset("word"), samples, CHOSEN, partial(likely_region, "starter"))
    assert (settings.data.crop, settings.data.height) == ("text", 40)


def test_a_line_is_searched_once_in_each_image(
    tmp_path: Path, ubuntu_font: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the likelihoods are those of what the network is given."""
    write_pictures(tmp_path / "pictures", 8, ubuntu_font)
    likelihood = LabelLikelihood("starter", check_source(tmp_path / "pictures").samples, seed=0)
    searched = MagicMock(side_effect=cut_text)
    monkeypatch.setattr("ctc_ocr.images.region.cut_text", searched)
    some = Region("text", 0.1, 0.9, grey="max")
    found = [likelihood.of(Shown(each, ink)) for each in (Region("text"), some) for ink in ("auto", "dark")]
    assert searched.call_count == 8
    monkeypatch.setattr(likelihood, "_cut", lambda region: [some.cut(each) for each in likelihood._images])
    assert found[3] == likelihood.of(Shown(replace(some, top=0.0, bottom=1.0), "dark"))


def test_few_images_say_nothing(low_text: CheckResult) -> None:
    assert likely_region("starter", low_text.samples[: FEWEST - 1]) == FoundRegion(WHOLE, None)


def test_all_rows_are_kept_where_others_are_not_clearly_better(tmp_path: Path) -> None:
    for number in range(16):
        text = f"{1000 + 7919 * number % 9000}"
        image = np.full((44, 110), 230, np.uint8)
        cv2.putText(image, text, (5, 33), cv2.FONT_HERSHEY_DUPLEX, 1.2, 30, 2)
        Image.fromarray(image).save(tmp_path / f"{text}.png")
    assert likely_region("starter", check_source(tmp_path).samples).region == WHOLE


def coloured_lines(folder: Path, text: Colour, line: Colour, count: int = 16) -> CheckResult:
    """Numbers of four digits over lines in other colours: `text` and `line` are levels of red, green and blue."""
    generator = np.random.default_rng(0)
    for number in range(count):
        label = f"{1000 + 7919 * number % 9000}"
        image = np.full((44, 110, 3), 240, np.uint8)
        for _ in range(30):
            ends = (generator.random((2, 2)) * (110, 44)).astype(int)
            cv2.line(image, ends[0].tolist(), ends[1].tolist(), line, 3)
        cv2.putText(image, label, (5, 33), cv2.FONT_HERSHEY_DUPLEX, 1.2, text, 2)
        Image.fromarray(image).save(folder / f"{label}.png")
    return check_source(folder)


@pytest.mark.parametrize(
    ("text", "line", "greys"),
    [
        ((20, 20, 20), (20, 20, 230), {"max", "unsaturated"}),
        ((230, 210, 20), (150, 150, 150), {"min"}),
        ((20, 20, 20), (20, 20, 20), {"luminance"}),
    ],
)
def test_the_grey_in_which_the_text_stands_out_is_found(
    text: Colour, line: Colour, greys: set[str], tmp_path: Path
) -> None:
    samples = coloured_lines(tmp_path, text, line)
    assert likely_region("starter", samples.samples).region.grey in greys
    settings, checked = choose(preset("word"), samples, ["grey"], partial(likely_region, "starter"))
    assert settings.data.grey in greys
    assert [each.size for each in checked.samples] == [each.size for each in samples.samples]
    colour, _ = choose(preset("word", data={"channels": 3}), samples, ["grey"], partial(likely_region, "starter"))
    assert colour.data.grey == "luminance"


def test_ink_that_is_lighter_and_darker_than_the_paper_is_found(tmp_path: Path) -> None:
    inks = [(240, 120, 200), (120, 120, 40)]  # of about the paper's luminance
    for number in range(16):
        label = f"{1000 + 7919 * number % 9000}"
        image = np.full((44, 140, 3), (120, 120, 200), np.uint8)
        for place, digit in enumerate(label):
            cv2.putText(image, digit, (8 + 32 * place, 33), cv2.FONT_HERSHEY_DUPLEX, 1.2, inks[place % 2], 2)
        Image.fromarray(image).save(tmp_path / f"{label}.png")
    settings, _ = choose(preset("word"), check_source(tmp_path), CHOSEN, partial(likely_region, "starter"))
    assert (settings.data.grey, settings.data.ink) == ("paper", "dark")


def test_grey_paper_may_change_evenly(tmp_path: Path) -> None:
    """Ink of one level, lighter than the paper on the left, and darker on the right."""
    for number in range(16):
        text = f"{1000 + 7919 * number % 9000}"
        image = np.repeat(np.linspace(40, 250, 130, dtype=np.uint8)[None], 50, axis=0)
        cv2.putText(image, text, (14, 36), cv2.FONT_HERSHEY_DUPLEX, 1.2, 145, 2)
        Image.fromarray(image).save(tmp_path / f"{text}.png")
    samples = check_source(tmp_path).samples
    assert likely_region("starter", samples).region.grey == "paper"


def test_labels_of_units_that_the_starter_does_not_know_say_nothing(tmp_path: Path) -> None:
    for number in range(12):
        image = np.full((40, 100), 10 * number, np.uint8)
        Image.fromarray(image).save(tmp_path / f"äöü{number}{number}.png")
    assert likely_region("starter", check_source(tmp_path).samples) == FoundRegion(WHOLE, None)


def test_units_that_the_starter_does_not_know_change_nothing(low_text: CheckResult, tmp_path: Path) -> None:
    rows = [(each.sample.image, f"{''.join(each.units)}ä") for each in low_text.samples]
    table = tmp_path / "labels.csv"
    table.write_text("image,label\n" + "".join(f"{image},{label}\n" for image, label in rows), encoding="utf-8")
    assert likely_region("starter", check_source(table).samples) == likely_region("starter", low_text.samples)


def test_anything_may_be_read_for_signs_that_the_starter_does_not_know(tmp_path: Path, ubuntu_font: str) -> None:
    """It reads % as some letters or digits, of which the labels have none. The images are hard for it all the same."""
    face = ImageFont.truetype(ubuntu_font, 44)
    rows = ["image,label"]
    for number in range(16):
        text = f"-{10 + 7 * number % 90}.{number % 10}%"
        image = Image.new("L", (240, 64), 235)
        ImageDraw.Draw(image).text((16, 6), text, font=face, fill=40)
        image.save(tmp_path / f"{number}.png")
        rows.append(f"{number}.png,{text}")
    (tmp_path / "labels.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    likelihood = LabelLikelihood("starter", check_source(tmp_path / "labels.csv").samples, seed=0)
    assert likelihood.of(Shown(WHOLE)) > -0.3
    assert likelihood.of_known_units(Shown(WHOLE)) < HARD


def test_nothing_is_chosen_where_the_starter_reads_other_text(tmp_path: Path, ubuntu_font: str) -> None:
    """Beside each number is a word that its label does not have."""
    face = ImageFont.truetype(ubuntu_font, 36)
    for number in range(16):
        text = f"{1000 + 7919 * number % 9000}"
        image = Image.new("L", (320, 64), 235)
        ImageDraw.Draw(image).text((12, 10), f"METER NO {text}", font=face, fill=40)
        image.save(tmp_path / f"{text}.png")
    found = likely_region("starter", check_source(tmp_path).samples)
    assert (found.region, found.ink) == (WHOLE, "auto")
    assert found.likelihood is not None
    assert found.likelihood < GUESSED


def plates(folder: Path, count: int = 16) -> CheckResult:
    """Numbers in dark ink on small light plates, on bodies darker than the middle between ink and plate."""
    generator = np.random.default_rng(0)
    for number in range(count):
        label = f"{1000 + 7919 * number % 9000}"
        image = np.full((80, 180), 20 + 5 * number, np.uint8)
        cv2.rectangle(image, (30, 18), (150, 62), 235, -1)
        cv2.putText(image, label, (36, 52), cv2.FONT_HERSHEY_DUPLEX, 1.2, 20, 2)
        noise = generator.normal(0, 6, image.shape)
        Image.fromarray(np.clip(image + noise, 0, 255).astype(np.uint8)).save(folder / f"{label}.png")
    return check_source(folder)


def test_the_ink_is_found_where_most_of_an_image_is_not_paper(tmp_path: Path) -> None:
    samples = plates(tmp_path)
    assert all(each.light_ink for each in samples.samples)
    assert likely_region("starter", samples.samples, names=["ink"]).ink == "dark"
    settings, _ = choose(preset("word"), samples, ["ink"], partial(likely_region, "starter"))
    assert settings.data.ink == "dark"
    by_level, _ = choose(preset("word"), samples, ["ink"])
    assert by_level.data.ink == "light"
    by_ink = [likely_region("starter", samples.samples, WHOLE, ink, names=["crop"]) for ink in ("light", "dark")]
    assert [each.ink for each in by_ink] == ["light", "dark"]
    assert (by_ink[0].likelihood or 0) < (by_ink[1].likelihood or 0) - 0.5


def test_a_decision_for_each_image_stays_where_the_ink_differs(tmp_path: Path) -> None:
    for number in range(16):
        text = f"{1000 + 7919 * number % 9000}"
        image = np.full((44, 110), 230, np.uint8)
        cv2.putText(image, text, (5, 33), cv2.FONT_HERSHEY_DUPLEX, 1.2, 30, 2)
        Image.fromarray(image if number % 2 else 255 - image).save(tmp_path / f"{text}.png")
    samples = check_source(tmp_path)
    assert likely_region("starter", samples.samples, names=["ink"]).ink == "auto"
    settings, _ = choose(preset("word"), samples, CHOSEN, partial(likely_region, "starter"))
    assert settings.data.ink == "auto"


def test_rows_have_a_margin_that_costs_little(tmp_path: Path) -> None:
    """Most numbers are from row 49 on. Two are lower, and rows that have all of these cut the others."""
    generator = np.random.default_rng(0)
    for number in range(32):
        text = f"{1000 + 7919 * number % 9000}"
        image = np.full((160, 130), 230, np.uint8)
        lowered = 40 if number % 16 == 0 else 0
        cv2.putText(image, text, (14, 84 + lowered), cv2.FONT_HERSHEY_DUPLEX, 1.2, 30, 2)
        for _ in range(12):
            ends = (generator.random((2, 2)) * (130, 30)).astype(int)
            cv2.line(image, ends[0].tolist(), ends[1].tolist(), 60, 2)
        Image.fromarray(image).save(tmp_path / f"{text}.png")
    found = likely_region("starter", check_source(tmp_path).samples).region
    assert found.top <= 49 / 160
    assert found.bottom >= (84 + 40) / 160


def test_both_ends_are_chosen_or_none(low_text: CheckResult) -> None:
    asked = []

    def find(
        samples: object, region: Region, ink: str, seed: int, names: Collection[str], is_straight: bool
    ) -> FoundRegion:
        asked.append({*names} & {*OF_REGION})
        return FoundRegion(replace(region, top=0.25, bottom=0.5) if "top_edge" in names else region)

    settings, cut = choose(preset("word"), low_text, {*CHOSEN} - {"crop"}, find)
    assert (settings.data.top_edge, settings.data.bottom_edge) == (0.25, 0.5)
    assert [each.size[1] for each in cut.samples] == [each.size[1] // 4 for each in low_text.samples]
    kept, _ = choose(preset("word", data={"top_edge": 0.1}), low_text, {*CHOSEN} - {"top_edge"}, find)
    assert (kept.data.top_edge, kept.data.bottom_edge) == (0.1, 1.0)
    assert asked == [{*OF_REGION}, {"grey"}]


@pytest.mark.slow
def test_a_run_from_the_starter_reads_the_rows_of_the_text(low_text: CheckResult, tmp_path: Path) -> None:
    folder = Path(low_text.samples[0].sample.image).parent
    one = ("--num_epoch=1", "--crop=none", "--samples_per_epoch=32", "--cpu=1", "--num_proc=1")
    done = run_here(train, tmp_path, f"--data={folder}", *one)
    assert done.returncode == 0, done.stderr
    assert "its rows from " in done.stderr
    predictor = ctc_ocr.Predictor(tmp_path / "ocr")
    assert predictor.hyperparameters.data.top_edge > 0.05
    all_rows = run_here(train, tmp_path, f"--data={folder}", "--prefix=all", "--top_edge=0", "--bottom_edge=1", *one)
    assert all_rows.returncode == 0, all_rows.stderr
    of_all = ctc_ocr.Predictor(tmp_path / "all")
    assert of_all.hyperparameters.data.bottom_edge == 1.0
    correct, without = (ctc_ocr.evaluate(each, folder).result.correct for each in (predictor, of_all))
    assert correct > without + 5


def test_photographs_are_kept_small() -> None:
    from ctc_ocr.images.pixels import shrunk

    assert shrunk(np.zeros((3000, 4000, 3), np.uint8)).shape == (400, 533, 3)
    assert shrunk(np.zeros((4000, 500, 3), np.uint8)).shape == (3200, 400, 3)
    assert shrunk(np.zeros((60, 160, 3), np.uint8)).shape == (60, 160, 3)
