"""Each change measured independently of how it is made; the properties that all of them have, over many images."""

import math
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import cv2
import numpy as np
import pytest

from ctc_ocr.config.sections import Augmentation
from ctc_ocr.images.augmentation import MAX_WIDTH, augment
from ctc_ocr.rendering.captcha_library import CaptchaLibraryRenderer

RANGES = [each.name for each in fields(Augmentation) if each.name != "augment"]
COLOUR_ONLY = ("max_hue", "max_saturation")
OFF = Augmentation(augment=True, **dict.fromkeys(RANGES, 0.0))
LARGE = Augmentation(
    augment=True, max_rotation=20.0, max_shear=0.8, max_scale=0.4, max_padding=0.5, max_shift=0.5, max_warp=0.05,
    max_brightness=0.3, max_contrast=1.0, max_blur=1.5, max_noise=20.0,
    max_hue=60.0, max_saturation=0.5,
)  # fmt: skip


def with_range(settings: Augmentation, name: str, maximum: float) -> Augmentation:
    changes: dict[str, Any] = {name: maximum}
    return replace(settings, **changes)


def only(name: str, maximum: float) -> Augmentation:
    return with_range(OFF, name, maximum)


def results(image: np.ndarray, settings: Augmentation, count: int = 100, seed: int = 0) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    return [augment(image, settings, generator) for _ in range(count)]


def fills(values: Sequence[float], minimum: float, maximum: float, tolerance: float) -> None:
    """The values keep to their range, and use nearly all of it."""
    assert min(values) >= minimum - tolerance
    assert max(values) <= maximum + tolerance
    assert max(values) - min(values) > 0.85 * (maximum - minimum) - 2 * tolerance


def page(height: int = 60, width: int = 200, paper: int = 230, ink: int = 40) -> np.ndarray:
    """A bar in the middle with paper around it."""
    image = np.full((height, width), paper, dtype=np.uint8)
    image[height // 2 - 4 : height // 2 + 4, width // 2 - 60 : width // 2 + 60] = ink
    return image


def coloured(image: np.ndarray, paper: tuple[int, int, int], ink: tuple[int, int, int]) -> np.ndarray:
    return np.where((image < 128)[..., None], np.array(ink, np.uint8), np.array(paper, np.uint8))


def darkness(image: np.ndarray, paper: int = 230) -> np.ndarray:
    return paper - image.astype(float)


def ink_size(image: np.ndarray) -> tuple[float, float]:
    """Width and height of an upright bar, by its mean darkness along lines through its middle."""
    dark = darkness(image)
    rows, columns = dark.sum(axis=1), dark.sum(axis=0)
    return columns.sum() / columns.max(), rows.sum() / rows.max()


@pytest.fixture(scope="module")
def captcha(ubuntu_font: str) -> np.ndarray:
    """(60, 200, 3) uint8, coloured paper and ink."""
    return np.asarray(CaptchaLibraryRenderer((ubuntu_font,), 200, 60).draw("7bn3c", np.random.default_rng(2)))


@pytest.fixture(scope="module")
def pictures(captcha: np.ndarray) -> list[np.ndarray]:
    return [captcha, cv2.cvtColor(captcha, cv2.COLOR_RGB2GRAY)]


# Properties of all changes


def test_off_changes_nothing(pictures: list[np.ndarray]) -> None:
    for image in pictures:
        for settings in (replace(LARGE, augment=False), Augmentation(), OFF):
            for changed in results(image, settings, 5):
                np.testing.assert_array_equal(changed, image)


@pytest.mark.parametrize("name", RANGES)
def test_each_setting_alone_changes_the_image(name: str) -> None:
    for image in (page(), coloured(page(), (230, 230, 200), (90, 40, 40))):
        changed = results(image, only(name, getattr(LARGE, name)), 10)
        differs = [each.shape != image.shape or bool((each != image).any()) for each in changed]
        expected = image.ndim == 3 or name not in COLOUR_ONLY
        assert sum(differs) >= 8 if expected else not any(differs)


@pytest.mark.parametrize("name", RANGES)
def test_turning_one_off_leaves_the_other_amounts(name: str, captcha: np.ndarray) -> None:
    """With one almost off, the others have the same effects as with it off, also in the next image."""
    off = results(captcha, with_range(LARGE, name, 0.0), 3)
    nearly = results(captcha, with_range(LARGE, name, 1e-7), 3)
    for one, other in zip(off, nearly, strict=True):
        width = min(one.shape[1], other.shape[1])
        assert abs(one.shape[1] - other.shape[1]) <= 1
        # The warp is sampled from exact coordinates, the affine map from ones rounded to 1/32 pixel.
        distance = np.abs(one[:, :width].astype(int) - other[:, :width])
        assert distance.mean() < (0.7 if name == "max_warp" else 0.05)


def test_equal_generators_give_equal_results(pictures: list[np.ndarray]) -> None:
    for image in pictures:
        once, again, other = (results(image, LARGE, 4, seed) for seed in (3, 3, 4))
        assert [each.tobytes() for each in once] == [each.tobytes() for each in again]
        assert [each.tobytes() for each in once] != [each.tobytes() for each in other]


def test_the_image_is_not_written_to(pictures: list[np.ndarray]) -> None:
    for image in pictures:
        kept = image.copy()
        kept.flags.writeable = False
        results(kept, LARGE, 5)
        np.testing.assert_array_equal(kept, image)


@pytest.mark.parametrize("settings", [Augmentation(augment=True), LARGE, replace(LARGE, max_rotation=180.0)])
@pytest.mark.parametrize("size", [(1, 1), (40, 1), (1, 40), (2, 3), (32, 900), (64, 20), (3, 300)])
def test_height_and_channels_are_kept_for_images_of_any_size(settings: Augmentation, size: tuple[int, int]) -> None:
    generator = np.random.default_rng(0)
    for shape in (size, (*size, 3)):
        for image in (generator.integers(0, 256, shape, dtype=np.uint8), np.zeros(shape, np.uint8)):
            for changed in results(image, settings, 8):
                assert (changed.dtype, changed.shape[0], changed.shape[2:]) == (np.uint8, shape[0], shape[2:])
                assert changed.shape[1] >= 1


def test_images_that_are_too_wide_are_not_moved() -> None:
    for width in (MAX_WIDTH, MAX_WIDTH + 1, 40_000):
        image = np.full((4, width), 200, dtype=np.uint8)
        for settings in (only("max_rotation", 1e-4), only("max_warp", 0.05), only("max_padding", 2.0)):
            assert augment(image, settings, np.random.default_rng(0)).shape[1] <= max(width, MAX_WIDTH)
    assert augment(image, only("max_brightness", 0.5), np.random.default_rng(0)).mean() != 200


def test_views_are_accepted(captcha: np.ndarray) -> None:
    for view in (captcha[::-1, ::-1], captcha[..., 1], captcha[:, 3:90]):
        for one, other in zip(results(view, LARGE, 3), results(view.copy(), LARGE, 3), strict=True):
            np.testing.assert_array_equal(one, other)


# What is outside the frame, and what must stay inside


@pytest.mark.parametrize("paper", [(250, 250, 250), (200, 180, 120), (90, 140, 200)])
def test_new_areas_are_paper(paper: tuple[int, int, int]) -> None:
    geometric = replace(LARGE, max_brightness=0.0, max_contrast=0.0, max_blur=0.0, max_noise=0.0, max_hue=0.0,
                        max_saturation=0.0)  # fmt: skip
    for warp in (0.0, 0.05):
        image = coloured(page(), paper, (20, 30, 10))
        for changed in results(image, replace(geometric, max_warp=warp), 50):
            for corner in (changed[:5, :5], changed[:5, -5:], changed[-5:, :5], changed[-5:, -5:]):
                np.testing.assert_array_equal(corner, np.broadcast_to(np.array(paper, np.uint8), corner.shape))
            border = np.concatenate((changed[0], changed[-1], changed[:, 0], changed[:, -1]))
            assert (border == paper).mean() > 0.95  # the rest: ink that was moved up to the edge


def test_no_corner_is_darker_than_a_noisy_paper() -> None:
    generator = np.random.default_rng(0)
    image = np.clip(page() + generator.normal(0, 6, (60, 200)), 0, 255).astype(np.uint8)
    for changed in results(image, replace(OFF, max_rotation=10.0, max_shear=0.5, max_padding=0.5), 100):
        for corner in (changed[:3, :3], changed[:3, -3:], changed[-3:, :3], changed[-3:, -3:]):
            assert abs(float(corner.mean()) - 230) < 12


def marks(height: int = 120, width: int = 400, side: int = 24) -> np.ndarray:
    """Equal squares in the four corners, touching the frame, and one in the middle; paper elsewhere."""
    image = np.full((height, width), 255, dtype=np.uint8)
    for top in (0, height - side):
        for left in (0, width - side):
            image[top : top + side, left : left + side] = 0
    image[(height - side) // 2 : (height + side) // 2, (width - side) // 2 : (width + side) // 2] = 0
    return image


@pytest.mark.parametrize(
    "settings",
    [
        Augmentation(augment=True, max_brightness=0.0, max_contrast=0.0, max_blur=0.0),
        replace(OFF, max_rotation=30.0),
        replace(OFF, max_shear=1.0),
        replace(OFF, max_scale=0.5, max_shift=1.0),
        replace(OFF, max_rotation=15.0, max_shear=0.6, max_scale=0.3, max_shift=0.3),
    ],
)
def test_no_ink_is_cut_off(settings: Augmentation) -> None:
    """An affine map changes all areas by one factor, unless something of a square is outside."""
    for changed in results(marks(), settings, 60):
        number, labels = cv2.connectedComponents((changed < 230).astype(np.uint8), connectivity=8)
        assert number == 6
        masses = np.bincount(labels.ravel(), weights=darkness(changed, 255).ravel())[1:]
        assert masses.min() > 0.9 * masses.max()


def test_warp_cuts_nothing_off() -> None:
    """The frame's outermost ink is a closed line: it stays closed, so paper outside and inside never touch."""
    image = np.full((60, 200), 255, dtype=np.uint8)
    image[:5], image[-5:], image[:, :5], image[:, -5:] = 0, 0, 0, 0
    image[:8, 20] = 0
    edge = np.full((60, 200), 255, dtype=np.uint8)
    edge[2:-2, 2:-2] = image[2:-2, 2:-2]  # a margin of paper, or the ring would count as paper
    for changed in results(edge, only("max_warp", 0.1), 60):
        number, labels = cv2.connectedComponents((changed > 128).astype(np.uint8), connectivity=4)
        outside = labels[0, 0]
        assert number == 3
        assert (labels[0] == outside).all()
        assert (labels[-1] == outside).all()


def test_ink_of_real_captchas_stays_inside(ubuntu_font: str) -> None:
    """The letters' mass stays, except for the scaling down (measured by the width of the result)."""
    renderer = CaptchaLibraryRenderer((ubuntu_font,), 200, 60, 200, 60)
    for seed, text in enumerate(("wxyz", "0123", "QJgj", "MMMM")):
        image = renderer.render(text, np.random.default_rng(seed))
        paper = int(np.median(image))
        mass = np.maximum(darkness(image, paper), 0).sum()
        for changed in results(image, replace(OFF, max_rotation=3.0, max_shift=0.5), 20):
            # At 3 degrees the frame grows at most by 60 * sin(3) in width, so the width gives the scale to 2 %.
            scale = changed.shape[1] / 200
            assert np.maximum(darkness(changed, paper), 0).sum() > 0.92 * mass * min(1.0, scale) ** 2


# Each change against an independent measurement


def test_rotation_turns_by_degrees() -> None:
    angles = []
    for changed in results(page(), only("max_rotation", 8.0)):
        moments = cv2.moments(darkness(changed).astype(np.float32))
        slope = math.atan2(2 * moments["mu11"], moments["mu20"] - moments["mu02"]) / 2
        angles.append(math.degrees(slope))
        assert darkness(changed).sum() == pytest.approx(darkness(page()).sum(), rel=0.02)
    fills(angles, -8.0, 8.0, 0.05)


def shear_of(image: np.ndarray) -> float:
    """Columns by which each row lies to the right of the one below it, from the rows' middles, which are on a line."""
    dark = darkness(image)[22:38]
    middles = (dark * np.arange(image.shape[1])).sum(axis=1) / dark.sum(axis=1)
    line = np.polynomial.Polynomial.fit(np.arange(16), middles, 1, domain=[])
    np.testing.assert_allclose(middles, line(np.arange(16)), atol=0.2)
    return -float(line.coef[1])


def test_shear_moves_rows_against_each_other() -> None:
    image = np.full((60, 200), 230, dtype=np.uint8)
    image[8:52, 90:110] = 40
    shears = []
    for changed in results(image, only("max_shear", 0.5)):
        shears.append(shear_of(changed))
        assert changed.shape[1] == pytest.approx(200 + abs(shears[-1]) * 60, abs=1.1)
    fills(shears, -0.5, 0.5, 0.01)
    fills([shear_of(each) for each in results(image, replace(OFF, max_shear=0.5, max_scale=0.4), 200)], -0.5, 0.5, 0.03)


def test_width_and_height_are_scaled_independently() -> None:
    sizes = []
    for changed in results(page(), only("max_scale", 0.25)):
        columns, rows = ink_size(changed)
        sizes.append((columns / 120, rows / 8))
        assert changed.shape[1] == pytest.approx(200 * columns / 120, abs=1.6)
    widths, heights = (list(each) for each in zip(*sizes, strict=True))
    fills(widths, 0.75, 1.25, 0.02)
    fills(heights, 0.75, 1.25, 0.03)
    assert abs(np.corrcoef(widths, heights)[0, 1]) < 0.3


def test_height_grows_only_where_there_is_room_and_width_all_the_same() -> None:
    tight = np.full((60, 200), 230, dtype=np.uint8)
    tight[:, 60:140] = 40
    tight[10:50, 70:130] = 230
    widths = [changed.shape[1] / 200 for changed in results(tight, only("max_scale", 0.25))]
    fills(widths, 0.75, 1.25, 0.01)


def test_padding_is_paper_left_and_right_and_moves_whole_pixels() -> None:
    image = page()
    added = []
    for changed in results(image, only("max_padding", 0.5), 200):
        left = int(np.flatnonzero((changed < 230).any(axis=0))[0]) - 40
        np.testing.assert_array_equal(changed[:, left : left + 200], image)
        added.append((left, changed.shape[1] - 200 - left))
        assert (np.delete(changed, np.s_[left : left + 200], axis=1) == 230).all()
    for side in zip(*added, strict=True):
        fills(list(side), 0, 30, 0)


def test_shift_moves_whole_rows_as_far_as_there_is_room() -> None:
    image = page()
    for maximum, expected in ((0.2, 12), (1.0, 25)):  # the bar is 26 rows from both edges, and one is kept
        shifts = []
        for changed in results(image, only("max_shift", maximum)):
            shifts.append(int(np.flatnonzero((changed < 230).any(axis=1))[0]) - 26)
            np.testing.assert_array_equal(changed, np.roll(image, shifts[-1], axis=0))
        fills(shifts, -expected, expected, 0)


def test_warp_moves_points_smoothly_within_its_reach() -> None:
    image = np.full((64, 200), 255, dtype=np.uint8)
    dots = [(x, y) for y in range(16, 60, 16) for x in range(20, 190, 20)]
    for x, y in dots:
        image[y - 1 : y + 2, x - 1 : x + 2] = 0
    moves = []
    for changed in results(image, only("max_warp", 0.05), 30):
        assert changed.shape == image.shape
        number, _, _, middles = cv2.connectedComponentsWithStats((changed < 200).astype(np.uint8))
        assert number == len(dots) + 1
        distances = middles[1:, None, :] - np.array(dots)[None]
        nearest = np.abs(distances).max(axis=2).argmin(axis=1)
        assert sorted(nearest) == list(range(len(dots)))
        moves.append(distances[np.arange(len(dots)), nearest])
    found = np.array(moves)
    assert np.abs(found).max() < 3.2 + 0.5  # of 64 rows; half a pixel for the thresholded dots
    assert found.reshape(-1, 2).std(axis=0).min() > 0.5
    assert np.abs(found.mean(axis=(0, 1))).max() < 0.3


def test_brightness_moves_all_levels() -> None:
    image = np.random.default_rng(0).integers(80, 180, (60, 200)).astype(np.uint8)
    moved = []
    for changed in results(image, only("max_brightness", 0.25)):
        difference = changed.astype(int) - image
        assert np.ptp(difference) == 0
        moved.append(float(difference[0, 0]))
    fills(moved, -0.25 * 255, 0.25 * 255, 0.6)


@pytest.mark.parametrize("channels", [1, 3])
def test_contrast_multiplies_the_distance_from_the_paper(channels: int) -> None:
    papers = np.array((200, 180, 150))[:channels]
    image = np.broadcast_to(papers, (60, 200, channels)) + np.zeros((60, 200, 1), dtype=int)
    image[10:50, 10:190] -= np.random.default_rng(0).integers(0, 60, (40, 180, 1))
    image = image.astype(np.uint8)
    factors = []
    for changed in results(image if channels == 3 else image[..., 0], only("max_contrast", 1.0)):
        levels = changed.reshape(60, 200, channels).astype(int)
        factors.append(float(levels.std(axis=(0, 1)).mean() / image.std(axis=(0, 1)).mean()))
        np.testing.assert_array_equal(levels[0, 0], papers)
        np.testing.assert_allclose(levels, papers + factors[-1] * (image.astype(int) - papers), atol=1.1)
    fills([math.log2(each) for each in factors], -1.0, 1.0, 0.01)


def test_levels_saturate_and_do_not_wrap() -> None:
    image = np.arange(256, dtype=np.uint8).reshape(1, 256).repeat(8, axis=0)
    image[[0, -1]] = 255  # the paper
    for changed in results(image, replace(OFF, max_brightness=1.0, max_contrast=5.0), 50):
        assert (np.diff(changed[4].astype(int)) >= 0).all()


def test_blur_spreads_a_point_by_its_variance() -> None:
    image = np.full((41, 41), 255, dtype=np.uint8)
    image[20, 20] = 0
    line = np.full((41, 41), 255, dtype=np.uint8)
    line[:, 20] = 0
    deviations = []
    for changed in results(line, only("max_blur", 2.0)):
        dark = darkness(changed, 255)[20]
        places = np.arange(41) - 20
        deviations.append(math.sqrt((dark * places**2).sum() / dark.sum()))
        assert dark.sum() == pytest.approx(255, abs=8)
    fills(deviations, 0.0, 2.0, 0.1)
    for changed in results(image, only("max_blur", 2.0), 10):
        np.testing.assert_array_equal(changed, changed.T)


def test_noise_has_its_deviation_and_no_pattern() -> None:
    for shape in ((60, 200), (60, 200, 3)):
        image = np.full(shape, 128, dtype=np.uint8)
        deviations = []
        for changed in results(image, only("max_noise", 25.0)):
            noise = changed.astype(float) - 128
            deviations.append(noise.std())
            assert abs(noise.mean()) < 1.5
        fills(deviations, 0.0, 25.0, 0.8)
        assert deviations[-1] > 1
        flat = noise.reshape(60, -1)
        assert abs(np.corrcoef(flat[:-1].ravel(), flat[1:].ravel())[0, 1]) < 0.05
        assert abs(np.mean(np.abs(noise) < deviations[-1]) - 0.683) < 0.05


def hsv(image: np.ndarray) -> np.ndarray:
    """Hue in degrees, saturation and value 0 to 1, unrounded, of the ink's mean colour."""
    return cv2.cvtColor((image[30, 90:110].mean(axis=0) / 255).astype(np.float32)[None, None], cv2.COLOR_RGB2HSV)[0, 0]


def test_hue_turns_the_colours_and_leaves_grey_grey() -> None:
    image = coloured(page(), (250, 250, 250), (40, 120, 200))
    before, turns = hsv(image), []
    for changed in results(image, only("max_hue", 50.0)):
        after = hsv(changed)
        turns.append((float(after[0] - before[0]) + 180) % 360 - 180)
        np.testing.assert_allclose(after[1:], before[1:], atol=0.02)
        np.testing.assert_array_equal(changed[0, 0], (250, 250, 250))
    fills(turns, -50.0, 50.0, 2.0)


def test_hue_goes_round_the_circle() -> None:
    for red in ((200, 30, 40), (200, 40, 30)):  # on either side of 0 degrees
        image = coloured(page(), (250, 250, 250), red)
        hues = [float(hsv(changed)[0] - hsv(image)[0]) for changed in results(image, only("max_hue", 180.0))]
        fills([(hue + 180) % 360 - 180 for hue in hues], -180.0, 180.0, 2.5)


def test_saturation_is_multiplied() -> None:
    image = coloured(page(), (250, 250, 250), (80, 140, 160))
    before, factors = hsv(image), []
    for changed in results(image, only("max_saturation", 0.6)):
        after = hsv(changed)
        factors.append(float(after[1] / before[1]))
        assert abs(after[0] - before[0]) < 3
        assert after[2] == pytest.approx(before[2], abs=0.01)
        np.testing.assert_array_equal(changed[0, 0], (250, 250, 250))
    fills(factors, 0.4, 1.6, 0.02)
