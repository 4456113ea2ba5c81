"""Wild images: from a seed alone, of any alphabet, with each kind of variation, and readable."""

import math
import pickle
import string
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from fontTools.ttLib import TTFont

from ctc_ocr.config.sections import Data
from ctc_ocr.errors import InputError
from ctc_ocr.images.pixels import has_light_ink
from ctc_ocr.rendering import wild_clutter, wild_degrading, wild_distortions, wild_ink, wild_paper
from ctc_ocr.rendering.fonts import find_fonts
from ctc_ocr.rendering.wild import WildRenderer, make_wild, plan
from ctc_ocr.rendering.wild_colours import choose_colours, level
from ctc_ocr.rendering.wild_dice import Dice
from ctc_ocr.rendering.wild_fields import HEIGHT, WIDTH, piece
from ctc_ocr.rendering.wild_glyphs import STYLES, GlyphCache
from ctc_ocr.rendering.wild_kernels import MAX_WIDTH, draw_glyphs
from ctc_ocr.rendering.wild_layout import random_layout
from tests.fonts import font_with

LETTERS = string.digits + string.ascii_letters


def renderer(fonts: Path, **data: Any) -> WildRenderer:
    return make_wild(find_fonts(fonts), Data(**{"alphabet": LETTERS, **data}))


def drawn(made: WildRenderer, count: int = 60, text: str = "aB3xQ") -> list[np.ndarray[Any, np.dtype[np.uint8]]]:
    return [made.render_seeded(text, seed) for seed in range(count)]


def test_the_same_seed_gives_the_same_image(fonts_folder: Path) -> None:
    made = renderer(fonts_folder)
    images = drawn(made)
    other = pickle.loads(pickle.dumps(made))  # as an image process has it
    for seed in reversed(range(60)):  # in another order, with other glyphs in the cache
        other.render_seeded("Zz", seed)
        assert np.array_equal(other.render_seeded("aB3xQ", seed), images[seed])
    assert len({image.tobytes() for image in images}) == 60
    one, same = (made.render("x", np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(one, same)


def test_sizes_vary_and_follow_the_text(fonts_folder: Path) -> None:
    made = renderer(fonts_folder)
    short, long = drawn(made, text="7"), drawn(made, text="ABCDEFGH")
    assert all(image.dtype == np.uint8 and image.ndim == 2 for image in short + long)
    heights = {image.shape[0] for image in short + long}
    assert len(heights) > 15
    assert min(heights) >= 26
    ratios = [np.median([image.shape[1] / image.shape[0] for image in each]) for each in (short, long)]
    assert ratios[1] > 3 * ratios[0]
    colour = drawn(renderer(fonts_folder, channels=3), 5)
    assert all(image.ndim == 3 and image.shape[2] == 3 for image in colour)
    assert any((image[..., 0] != image[..., 2]).any() for image in colour)


def test_a_batch_of_one_size(fonts_folder: Path) -> None:
    made = renderer(fonts_folder)
    out = np.empty((3, 30, 80), np.uint8)
    made.render_batch(["1", "22", "333"], np.arange(3, dtype=np.uint64), out)
    again = np.empty((1, 30, 80), np.uint8)
    made.render_batch(["333"], np.array([2], np.uint64), again)
    assert np.array_equal(again[0], out[2])


def test_long_texts_and_spaces(fonts_folder: Path) -> None:
    made = renderer(fonts_folder, alphabet=LETTERS + " ")
    assert made.render_seeded("a" * 300, 1).shape[1] > 600
    for text in (" ", "a b", "   "):
        for seed in range(20):
            assert min(made.render_seeded(text, seed).shape) >= 8


@pytest.mark.parametrize(("ink", "low", "high"), [("dark", 0.0, 0.25), ("light", 0.75, 1.0), ("auto", 0.15, 0.6)])
def test_the_ink_is_the_one_that_is_asked_for(fonts_folder: Path, ink: str, low: float, high: float) -> None:
    images = drawn(renderer(fonts_folder, ink=ink), 200)
    assert low <= np.mean([has_light_ink(image) for image in images]) <= high


def test_ink_stands_out_from_paper() -> None:
    for seed in range(300):
        dice = Dice(seed)
        colours = choose_colours(dice, dice.pick((1, 3)), dice.chance(0.3), dice.chance(0.2))
        difference = level(colours.ink(dice)) - level(colours.paper)
        assert abs(difference) > 40
        assert (difference > 0) == colours.light_ink


# --- fonts ------------------------------------------------------------------------------------------------------------


def test_characters_are_drawn_in_fonts_that_have_them(tmp_path: Path, ubuntu_font: str) -> None:
    digits = font_with(string.digits, ubuntu_font, tmp_path / "digits.ttf")
    letters = font_with(string.ascii_letters, ubuntu_font, tmp_path / "letters.ttf")
    cache = GlyphCache((digits, letters))
    assert (cache.fonts_with("12"), cache.fonts_with("ab"), cache.fonts_with("a1")) == ((0,), (1,), ())
    made = WildRenderer((digits, letters), Data(alphabet=LETTERS))
    assert len(drawn(made, 10, "a1b2")) == 10
    with pytest.raises(InputError, match="no font has a glyph for 'ß', '€'"):
        WildRenderer((digits, letters), Data(alphabet="1ß€a"))


def test_a_font_of_capitals_has_no_small_letters(tmp_path: Path, ubuntu_font: str) -> None:
    opened = TTFont(ubuntu_font)
    for table in opened["cmap"].tables:
        table.cmap.update({ord(each): table.cmap[ord(each.upper())] for each in string.ascii_lowercase})
    opened.save(tmp_path / "capitals.ttf")
    cache = GlyphCache((str(tmp_path / "capitals.ttf"), ubuntu_font))
    assert (cache.fonts_with("A1"), cache.fonts_with("a")) == ((0, 1), (1,))


def test_what_is_not_a_font_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.ttf").write_bytes(b"no")
    with pytest.raises(InputError, match=r"x\.ttf"):
        WildRenderer((str(tmp_path / "x.ttf"),))
    with pytest.raises(InputError, match="at least one font"):
        WildRenderer(())


def test_the_cache_can_be_cleared_between_images(fonts_folder: Path) -> None:
    made = renderer(fonts_folder)
    before = drawn(made, 10)
    cache = GlyphCache(find_fonts(fonts_folder), limit=1)
    cache.find(0, "a", "plain")
    assert cache.full()
    cache.clear()
    assert not cache.full()
    assert len(drawn(made, 10)) == len(before)


@pytest.mark.parametrize("length", [30, 300, 3000])
def test_long_texts_are_within_their_images(fonts_folder: Path, length: int) -> None:
    cache = GlyphCache(find_fonts(fonts_folder))
    for seed in range(5):
        layout = random_layout(Dice(seed), "m" * length, cache, calm=seed % 2 == 0, margin=0.3)
        assert layout.width <= MAX_WIDTH
        assert layout.boxes[:, 0].min() >= 0
        assert layout.boxes[:, 2].max() <= layout.width + 1e-6


def test_glyphs_are_where_the_layout_says(fonts_folder: Path) -> None:
    cache = GlyphCache(find_fonts(fonts_folder))
    for seed in range(40):
        layout = random_layout(Dice(seed), "o", cache, calm=seed % 2 == 0, margin=0.3)
        ink, owner = (np.zeros((layout.height, layout.width), np.uint8) for _ in range(2))
        draw_glyphs(cache.pixels, layout.bitmaps, layout.maps, ink, owner)
        left, top, width, height = cv2.boundingRect((ink > 127).astype(np.uint8))
        # A box around a rotated o overstates it, and bold and hollow ones are a little larger than the plain one.
        slack = 0.15 * layout.size + 2
        box = layout.boxes[0]
        assert abs((left + width / 2) - (box[0] + box[2]) / 2) < slack / 2
        assert abs((top + height / 2) - (box[1] + box[3]) / 2) < slack / 2
        assert width <= box[2] - box[0] + slack
        assert height <= box[3] - box[1] + slack
        assert width > 0.6 * (box[2] - box[0])


def test_styles_differ_in_ink(ubuntu_font: str) -> None:
    cache = GlyphCache((ubuntu_font,))
    sums = {}
    for style in STYLES:
        glyph = cache.table[cache.find(0, "B", style)]
        size = glyph["full_width"] * glyph["full_height"]
        sums[style] = int(cache.pixels[glyph["full"] : glyph["full"] + size].sum())
    assert sums["thin"] < sums["plain"] < sums["bold"]
    assert sums["hollow"] < sums["plain"]


# --- kinds of variation -----------------------------------------------------------------------------------------------


def test_every_kind_is_planned_and_part_of_the_images_is_easy() -> None:
    plans = [plan(Dice(seed)) for seed in range(2000)]
    assert {each.kind for each in plans} == {"wild", "print", "plate", "meter"}
    assert {each.paper for each in plans} == set(wild_paper.KINDS)
    assert {kind for each in plans for kind in each.below} == set(wild_clutter.KINDS)
    assert {kind for each in plans for kind in each.above} == set(wild_clutter.FOLLOWING)
    assert {kind for each in plans for kind in each.distortions} == set(wild_distortions.KINDS)
    assert {kind for each in plans for kind in each.degrading} == set(wild_degrading.KINDS)
    assert {each.effect for each in plans} == {*wild_ink.EFFECTS, "plain"}
    assert 0.02 < np.mean([each.struck for each in plans]) < 0.15
    easy = [not (each.below or each.above or each.distortions or each.degrading) for each in plans]
    assert 0.05 < np.mean(easy) < 0.4


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", sorted(wild_clutter.KINDS))
def test_clutter_is_drawn(kind: str, channels: int) -> None:
    changed = []
    for seed in range(10):
        image = np.full((40, 120, channels), 255, np.uint8)
        wild_clutter.KINDS[kind](Dice(seed), image, lambda: (20.0,) * channels, 2)
        changed.append((image < 200).mean())
    assert 0 < np.mean(changed) < 0.6


@pytest.mark.parametrize("channels", [1, 3])
def test_strokes_go_through_their_characters(channels: int) -> None:
    """Each in its character's colour, and no further from it than half of its size."""
    boxes, inks = np.array([[10.0, 10, 30, 30], [80, 10, 100, 30]]), [(20.0,) * channels, (90.0,) * channels]
    drawn_at_all = 0
    for seed in range(20):
        image = np.full((40, 120, channels), 255, np.uint8)
        wild_clutter.strikes(Dice(seed), image, boxes, inks, 2)
        left, right = image[:, :60, 0], image[:, 60:, 0]
        assert left.min() >= 20
        assert right.min() >= 90
        assert (image[:, 50:65] == 255).all()
        drawn_at_all += int(left.min() < 90)
    assert 5 < drawn_at_all < 20


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", sorted(set(wild_paper.KINDS) - {"plain"}))
def test_paper_varies_less_than_ink(kind: str, channels: int) -> None:
    spread = []
    for seed in range(20):
        dice = Dice(seed)
        colours = choose_colours(dice, channels, False, False)
        paper = wild_paper.draw_paper(dice, colours, 40, 120, kind)
        assert paper.shape == (40, 120, channels)
        spread.append(float(paper.astype(float).std(axis=(0, 1)).max()))
    assert 0.3 < np.mean(spread) < 40


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", sorted(set(wild_degrading.KINDS)))
def test_degrading_leaves_what_is_there(fonts_folder: Path, kind: str, channels: int) -> None:
    changed = 0
    for seed in range(10):
        image = np.full((40, 120, channels), 230, np.uint8)
        cv2.putText(image, "R5", (20, 34), cv2.FONT_HERSHEY_SIMPLEX, 1.2, (40.0,) * channels, 3)
        result = wild_degrading.degrade(Dice(seed), image.copy(), kind, 190.0, 135.0)
        assert result.shape == image.shape
        changed += not np.array_equal(result, image)
        assert np.corrcoef(result.ravel(), image.ravel())[0, 1] > 0.7
    assert changed >= 8


@pytest.mark.parametrize("kind", sorted(set(wild_distortions.KINDS)))
def test_distortions_move_pixels_smoothly(kind: str) -> None:
    moved = []
    for seed in range(20):
        across, down = wild_distortions.random_points(Dice(seed), 40, 120, 28.0, [kind])
        right, below = across - np.arange(120), down - np.arange(40)[:, np.newaxis]
        moved.append(max(np.abs(right).max(), np.abs(below).max()))
        assert moved[-1] < 30
        # Neighbouring pixels stay neighbours, in about their order.
        assert np.diff(across, axis=1).mean() == pytest.approx(1, abs=0.6)
        assert np.abs(np.diff(down, axis=0) - 1).max() < 1.5
    assert np.mean(moved) > 0.5


@pytest.mark.parametrize("effect", sorted({*wild_ink.EFFECTS, "plain"}))
def test_effects_leave_ink_at_the_characters(fonts_folder: Path, effect: str) -> None:
    cache = GlyphCache(find_fonts(fonts_folder))
    for seed in range(10):
        dice = Dice(seed)
        colours = choose_colours(dice, 3, False, True)
        layout = random_layout(dice, "M8", cache, calm=True, margin=0.2)
        layer = wild_ink.Layer.of(layout, cache)
        image = wild_paper.draw_paper(dice, colours, layout.height, layout.width, "plain")
        inks = [colours.ink(dice), colours.ink(dice)]
        painted = wild_ink.paint(dice, image.copy(), layer, inks, colours, effect, layout.size)
        grey = cv2.cvtColor(painted, cv2.COLOR_RGB2GRAY).astype(float)
        if effect == "hollow block":  # the ink is around the characters, the paper within
            ring = (cv2.dilate(layer.ink, np.ones((3, 3), np.uint8)) > 200) & (layer.ink < 64)
            assert grey[layer.ink == 255].mean() - grey[ring].mean() > 60
            continue
        assert grey[layer.ink == 0].mean() - grey[layer.ink == 255].mean() > 60
        if effect == "plain":
            for number, ink in enumerate(inks):
                solid = (layer.ink == 255) & (layer.owner == number)
                assert np.abs(painted[solid].mean(axis=0) - ink).max() < 1.5


def test_pieces_of_fields_have_any_size() -> None:
    for height, width in ((1, 1), (40, 160), (HEIGHT + 5, WIDTH + 7)):
        field = piece(Dice(3), 4, height, width)
        assert field.shape == (height, width)
        assert math.isfinite(float(field.sum()))


def test_images_that_are_read_taller_are_drawn_larger(ubuntu_font: str) -> None:
    usual, low, tall = (WildRenderer((ubuntu_font,), Data(alphabet="0123456789", height=each)) for each in (40, 32, 64))
    heights = [[len(each.render_seeded("0723", seed)) for seed in range(200)] for each in (usual, low, tall)]
    assert heights[0] == heights[1]
    assert 1.5 < np.mean(heights[2]) / np.mean(heights[0]) < 1.7
