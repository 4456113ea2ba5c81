"""Kana in their old forms: which characters these are, and their images, with the fonts of the repository."""

import unicodedata
from pathlib import Path

import numpy as np
import pytest

from ctc_ocr.cli import generate
from ctc_ocr.config.presets import preset
from ctc_ocr.config.sections import Data
from ctc_ocr.datasets.sources import read_source
from ctc_ocr.errors import InputError
from ctc_ocr.images.files import read_image
from ctc_ocr.rendering.fonts import characters, find_fonts
from ctc_ocr.rendering.kana_forms import ORIGINS, forms, hentaigana
from ctc_ocr.rendering.old_japanese import PAPER, OldJapaneseRenderer
from ctc_ocr.training.session import train
from ctc_ocr.training.settings import Captchas
from tests.commands import run_here

FONTS = Path(__file__).resolve().parent.parent / "fonts" / "kana"
KANA = "".join(ORIGINS)
SOUSHO = FONTS / "KouzanBrushSousho-Kana.ttf"


def renderer(fonts: Path = FONTS, alphabet: str = KANA, writing: str = "vertical") -> OldJapaneseRenderer:
    return OldJapaneseRenderer(find_fonts(fonts), Data(alphabet, writing=writing))


def test_every_hentaigana_is_a_form_of_the_kana_that_its_name_says() -> None:
    assert set(hentaigana()) == set(ORIGINS)
    assert unicodedata.lookup("HENTAIGANA LETTER KI-8") in hentaigana()["き"]
    for kana, found in hentaigana().items():
        reading = unicodedata.name(kana).removeprefix("HIRAGANA LETTER ")
        for each in found:
            assert reading in unicodedata.name(each).removeprefix("HENTAIGANA LETTER ").split("-")
    named = {each for found in hentaigana().values() for each in found}
    assert len(named) == 285  # all that Unicode has


def test_forms_of_voiced_kana_need_a_mark() -> None:
    groups, mark = forms("が")
    assert groups[0] == ("が",)
    assert groups[2] == tuple("加可家我閑賀")
    assert mark == "゛"
    assert forms("ぱ")[1] == "゜"
    assert forms("ぱ")[0][1:] == forms("は")[0][1:]
    assert forms("ハ") == ((("ハ",),), "")
    assert forms("漢") == ((("漢",),), "")
    assert forms("ヴ") == ((("ヴ",),), "")


def test_the_fonts_have_all_forms() -> None:
    fonts = find_fonts(FONTS)
    assert {ord(each) for each in KANA + "".join(ORIGINS.values())} <= characters(str(SOUSHO))
    for found in hentaigana().values():
        assert {ord(each) for each in found} <= characters(str(FONTS / "NotoSerifHentaigana-Regular.ttf"))
    assert len(fonts) == 5


def test_a_seed_gives_one_image_and_seeds_differ() -> None:
    made = renderer()
    images = [made.render_seeded("かな", seed) for seed in range(40)]
    assert all(np.array_equal(image, made.render_seeded("かな", seed)) for seed, image in enumerate(images))
    assert len({image.tobytes() for image in images}) > 35
    for image in images:
        assert image.dtype == np.uint8
        assert image.min() < 30
        assert max(image[0].min(), image[-1].min()) < PAPER  # cut to the ink


def test_modern_kana_are_a_third_of_all() -> None:
    """Whatever the number of other forms: by comparison with what the fonts draw for the kana itself."""
    made = renderer(alphabet="か")
    only_modern = renderer(FONTS / "YujiSyuku-Kana.ttf", "か")  # it has no other forms
    assert len({only_modern.render_seeded("か", seed).tobytes() for seed in range(20)}) == 1
    modern = {
        OldJapaneseRenderer((font,), Data("か")).render_seeded("か", 0).tobytes()
        for font in find_fonts(FONTS)
        if ord("加") not in characters(font) and ord("か") in characters(font)
    }
    found = [made.render_seeded("か", seed).tobytes() in modern for seed in range(600)]
    assert len(modern) == 2  # of four fonts with か
    assert 0.1 < np.mean(found) < 0.24  # a third, and half of it


@pytest.mark.parametrize("writing", ["vertical", "horizontal"])
def test_characters_follow_each_other(writing: str) -> None:
    made = renderer(writing=writing)
    one, three = (
        np.median([made.render_seeded(text, seed).shape for seed in range(30)], axis=0) for text in ("あ", "あいう")
    )
    axis = 0 if writing == "vertical" else 1
    assert 2.3 < three[axis] / one[axis] < 3.7
    assert three[1 - axis] / one[1 - axis] < 1.6


def test_a_font_without_a_character_is_named() -> None:
    with pytest.raises(InputError, match="no font has a glyph for '漢'"):
        renderer(alphabet="あ漢")
    with pytest.raises(InputError, match="at least one font"):
        OldJapaneseRenderer((), Data("あ"))


def test_the_command_writes_columns(tmp_path: Path) -> None:
    arguments = [
        str(FONTS),
        "--renderer=old_japanese",
        "--alphabet=あいうえお",
        "--count=12",
        "--seed=1",
        "--output_dir=out",
    ]
    columns = run_here(generate.main, tmp_path, *arguments, "--min_length=3", "--max_length=3", "--writing=vertical")
    assert columns.returncode == 0, columns.stderr
    samples, problems = read_source(tmp_path / "out")
    assert (len(samples), problems) == (12, [])
    for sample in samples:
        height, width = read_image(sample.image).shape[:2]
        assert height > width
    refused = run_here(generate.main, tmp_path, *arguments[:1], *arguments[2:], "--writing=vertical")
    assert refused.returncode == 2
    assert "no effect with --renderer captcha" in refused.stderr


def test_a_network_is_trained_on_them(tmp_path: Path) -> None:
    settings = preset(
        "character",
        data={
            "alphabet": "あいのし", "min_length": 1, "max_length": 1, "renderer": "old_japanese",
            "height": 16, "width": 16,
        },
        network={
            "features": (8, 8), "kernels": (3, 3), "strides": (1, 1), "pool_heights": (2, 2), "pool_widths": (2, 2),
        },
        training={
            "num_epoch": 2, "samples_per_epoch": 960, "validation_samples": 64, "warmup_updates": 5, "workers": 1,
            "learning_rate": 1e-2,
        },
    )  # fmt: skip
    result = train(settings, Captchas(font=FONTS), tmp_path / "ocr", cpu=1, num_proc=1, progress=False)
    assert result.newest_epoch == 2
    assert result.accuracy > 0.5
