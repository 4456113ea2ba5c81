"""Several views of each image: how they are moved, and the text that is likeliest in all of them."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

import ctc_ocr
from ctc_ocr.checkpoint.starter import starter_onnx_path
from ctc_ocr.cli.evaluate import main as evaluate
from ctc_ocr.config.sections import MAX_VIEWS, Data
from ctc_ocr.datasets import choices
from ctc_ocr.datasets.checking import check_source
from ctc_ocr.decoding.decoder import BoundDecoder, Decoder
from ctc_ocr.decoding.likelihood import label_log_probability, log_softmax
from ctc_ocr.decoding.views import FURTHEST
from ctc_ocr.images.region import Region
from ctc_ocr.images.views import view_of
from ctc_ocr.rendering.wild import WildRenderer
from tests.reference_ctc import ctc_loss


def centre(image: NDArray[np.uint8]) -> tuple[float, float]:
    """(x, y) of the mean of the light in an image."""
    rows, columns = np.indices(image.shape)
    return float((columns * image).sum() / image.sum()), float((rows * image).sum() / image.sum())


def test_views_are_moved_a_little_and_no_two_are_the_same() -> None:
    image = np.zeros((40, 100), np.uint8)
    cv2.circle(image, (30, 15), 4, 255, -1)
    views = [view_of(image, number) for number in range(MAX_VIEWS)]
    assert views[0] is image
    places = [centre(view) for view in views]
    assert len({(round(x, 1), round(y, 1)) for x, y in places}) == MAX_VIEWS
    for view, (x, y) in zip(views, places, strict=True):
        assert (view.shape, view.dtype) == (image.shape, image.dtype)
        assert abs(x - places[0][0]) < 3
        assert abs(y - places[0][1]) < 3
    left, right = places[1], places[2]
    assert left[0] < places[0][0] < right[0]


def test_the_edges_of_a_view_are_those_of_the_image() -> None:
    image = np.full((20, 50, 3), (10, 20, 30), np.uint8)
    for number in range(MAX_VIEWS):
        np.testing.assert_array_equal(view_of(image, number), image)


def test_all_say_how_many_there_are() -> None:
    with pytest.raises(IndexError):
        view_of(np.zeros((20, 50), np.uint8), MAX_VIEWS)
    for too_many in (0, MAX_VIEWS + 1):
        with pytest.raises(ctc_ocr.InputError, match=f"^views: expected 1 to {MAX_VIEWS}, got {too_many}$"):
            Decoder(views=too_many)
    assert ctc_ocr.preset("word", data={"views": MAX_VIEWS}).data.views == MAX_VIEWS
    with pytest.raises(ctc_ocr.InputError, match="views"):
        ctc_ocr.preset("word", data={"views": MAX_VIEWS + 1})


def means_of(values: dict[Any, list[float]]) -> dict[Any, float]:
    """Mean over the views of each text's log probability, which counts as no less than 50 below the view's largest."""
    largest = [max(each) for each in zip(*values.values(), strict=True)]
    return {
        text: float(np.mean([max(one, most - FURTHEST) for one, most in zip(each, largest, strict=True)]))
        for text, each in values.items()
    }


def test_the_text_is_that_with_the_largest_mean_over_the_views() -> None:
    """Compared with the sum over all paths, for all candidates: the texts of the views."""
    generator = np.random.default_rng(3)
    logits = generator.normal(0, 2.5, (3, 5, 40, 3))  # (views, T, N, C)
    views = [log_softmax(each) for each in logits]
    found = BoundDecoder().decode_views(views, None, with_probability=True)
    alone = [BoundDecoder().decode(each) for each in views]
    changed = 0
    for image, (best,) in enumerate(found):
        texts = {tuple(each[image][0].codes) for each in alone}
        means = means_of({text: [-ctc_loss(each[:, image], text) for each in logits] for text in texts})
        assert tuple(best.codes) == max(means, key=lambda text: means[text])
        assert best.log_probability == pytest.approx(means[tuple(best.codes)], abs=1e-5)
        assert best.score == best.log_probability
        assert best.units is not None
        assert len(best.units) == len(best.codes)
        changed += best.codes != alone[0][image][0].codes
    assert changed > 5


def test_long_texts_are_unlikely_in_all_views() -> None:
    generator = np.random.default_rng(6)
    text = generator.normal(0, 1, (120, 10, 20))
    views = [log_softmax(text + generator.normal(0, 0.1, text.shape)) for _ in range(3)]
    found = BoundDecoder().decode_views(views, None, with_probability=False)
    read = [BoundDecoder().decode(each) for each in views]
    kept = []
    for image, (best,) in enumerate(found):
        texts = [tuple(each[image][0].codes) for each in read]
        means = means_of(
            {text: [label_log_probability(each[:, [image]], [text])[0] for each in views] for text in texts}
        )
        assert max(means.values()) < -2 * FURTHEST
        assert tuple(best.codes) == max(means, key=lambda text: means[text])
        kept.append(texts.index(tuple(best.codes)))
    assert set(kept) == {0, 1, 2}


def test_a_search_gives_alternatives_and_keeps_what_is_added_to_the_score() -> None:
    generator = np.random.default_rng(4)
    views = [log_softmax(generator.normal(0, 2.5, (6, 8, 3))) for _ in range(3)]
    decoder = Decoder(top_k=2, length_bonus=1.5).bind(ctc_ocr.Alphabet(("a", "b")))
    for hypotheses in decoder.decode_views(views, [6, 5, 4, 3, 2, 6, 6, 6], with_probability=True):
        assert len(hypotheses) == 2
        assert hypotheses[0].score >= hypotheses[1].score
        for each in hypotheses:
            assert each.score == pytest.approx(each.log_probability + 1.5 * len(each.codes))


def test_what_is_not_allowed_is_in_no_view() -> None:
    """Probabilities are those among the allowed units, and no other one is an alternative."""
    generator = np.random.default_rng(7)
    logits = generator.normal(0, 2, (3, 6, 10, 4))
    decoder = Decoder(allowed="ac").bind(ctc_ocr.Alphabet(("a", "b", "c")))
    allowed = [0, 1, 3]
    kept = [log_softmax(each[..., allowed]) for each in logits]
    found = decoder.decode_views([log_softmax(each) for each in logits], None, with_probability=True)
    expected = BoundDecoder().decode_views(kept, None, with_probability=True)
    for (best,), (other,) in zip(found, expected, strict=True):
        assert best.codes == [allowed[code] for code in other.codes]
        assert best.log_probability == pytest.approx(other.log_probability, abs=1e-5)
        assert 2 not in {code for unit in best.units or () for code, _ in unit.alternatives}


def test_where_no_word_fits_nothing_is_read() -> None:
    """Neither is the text that is then left, which is empty, taken for a likely one."""
    views = [log_softmax(each) for each in np.random.default_rng(8).normal(0, 2, (3, 4, 2, 3))]
    decoder = Decoder(words=["abababab", "ab"], separators="").bind(ctc_ocr.Alphabet(("a", "b")))
    too_long, possible = decoder.decode_views(views, [1, 4])
    assert (too_long[0].codes, too_long[0].log_probability, too_long[0].score) == ([], -np.inf, -np.inf)
    assert possible[0].codes == [1, 2]
    assert np.isfinite(possible[0].log_probability)


def test_one_view_is_what_is_read_without_any() -> None:
    log_probs = log_softmax(np.random.default_rng(5).normal(0, 2, (5, 6, 4)))
    assert BoundDecoder().decode_views([log_probs], None, True) == BoundDecoder().decode(log_probs)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory, ubuntu_font: str) -> Path:
    """Forty drawn captchas of many looks, with their labels."""
    folder = tmp_path_factory.mktemp("wild")
    drawn, generator = WildRenderer((ubuntu_font,), Data(alphabet="0123456789", channels=3)), np.random.default_rng(0)
    rows = ["image,label"]
    for number in range(40):
        text = f"{(6177 * number) % 10000:04}"
        cv2.imwrite(str(folder / f"{number}.png"), drawn.render(text, generator))
        rows.append(f"{number}.png,{text}")
    (folder / "labels.csv").write_text("\n".join(rows), encoding="utf-8")
    return folder


def texts(images: Path, views: int | None, model: str = "starter") -> list[ctc_ocr.Prediction]:
    predictor = ctc_ocr.Predictor(model, decoder=Decoder(views=views))
    return predictor.predict([images / f"{number}.png" for number in range(40)])


def test_a_predictor_reads_the_views(images: Path) -> None:
    """The likeliest text of three views, each read and scored by itself."""
    one = ctc_ocr.Predictor("starter", decoder=Decoder(views=1))
    prepared = [one.prepare(images / f"{number}.png") for number in range(40)]
    seen = [[view_of(each, number) for each in prepared] for number in range(3)]
    read = [one.predict_prepared(each) for each in seen]
    several = texts(images, 3)
    for image in range(40):
        found = {each[image].text: each[image].codes for each in read}
        means = means_of(
            {
                text: [one.label_log_probabilities([view[image]], [codes])[0] for view in seen]
                for text, codes in found.items()
            }
        )
        assert several[image].text == max(means, key=lambda text: means[text])
        assert several[image].log_probability == pytest.approx(means[several[image].text], abs=1e-3)
    assert [each.text for each in several] != [each.text for each in read[0]]


def test_views_are_made_of_the_images_own_levels_with_mxnet_and_onnx_runtime(images: Path) -> None:
    """Where a network reads images with their contrast stretched, it is stretched in each view, and of the image's own
    columns only."""
    faint = [cv2.imread(str(images / f"{number}.png")) // 10 + 100 for number in range(40)]
    predictors = [ctc_ocr.Predictor(model, decoder=Decoder(views=5)) for model in ("starter", starter_onnx_path())]
    read, other = ([(each.text, each.log_probability or 0.0) for each in one.predict(faint)] for one in predictors)
    assert [text for text, _ in read] == [text for text, _ in other]
    np.testing.assert_allclose([value for _, value in read], [value for _, value in other], atol=1e-3)
    assert len({text for text, _ in read}) > 10


def test_confidences_do_not_change_what_is_read(images: Path) -> None:
    predictor = ctc_ocr.Predictor("starter", decoder=Decoder(views=5))
    paths = [images / f"{number}.png" for number in range(10)]
    with_them, without = predictor.predict(paths), predictor.predict(paths, confidence=False)
    assert [each.text for each in with_them] == [each.text for each in without]
    assert all(each.characters for each in with_them if each.text)


def test_the_command_reads_them_by_any_number_of_processes(images: Path, tmp_path: Path) -> None:
    read = []
    for number, flags in enumerate((["--views=1"], ["--views=5"], ["--views=5", "--num_proc=2"])):
        out = tmp_path / f"{number}.csv"
        assert evaluate(["--model=starter", str(images), "--out", str(out), *flags]) in (0, 1)
        read.append(out.read_text(encoding="utf-8"))
    assert read[0] != read[1]
    assert read[1] == read[2]


def test_few_images_that_start_from_a_model_are_read_in_several(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checked = check_source(images)

    def as_it_is(
        samples: object, region: Region, ink: str, seed: int, names: object, is_straight: bool
    ) -> choices.FoundRegion:
        return choices.FoundRegion(region)

    for names, start, few, expected in (
        (("views",), as_it_is, 2000, 5), (("views",), as_it_is, 40, 1), (("views",), None, 2000, 1),
        (("ink",), as_it_is, 2000, 1),
    ):  # fmt: skip
        monkeypatch.setattr(choices, "FEW", few)
        settings, _ = choices.choose(ctc_ocr.preset("word"), checked, names, start)
        assert settings.data.views == expected


@pytest.mark.slow
def test_a_model_says_how_many_views_are_read(images: Path, tmp_path: Path) -> None:
    """A run on few images of its own, which starts from the starter model."""
    settings = {"num_epoch": 1, "samples_per_epoch": 16, "batch_size": 8}
    data = ctc_ocr.LabelledImages(images, choose=("views",))
    ctc_ocr.train(ctc_ocr.preset("word", training=settings), data, tmp_path / "m", num_proc=1, cpu=1, progress=False)
    predictor = ctc_ocr.Predictor(tmp_path / "m")
    assert predictor.hyperparameters.data.views == predictor.decoder.views == 5
    own, asked = texts(images, None, str(tmp_path / "m")), texts(images, 5, str(tmp_path / "m"))
    assert [each.text for each in own] == [each.text for each in asked]
