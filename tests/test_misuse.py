"""Arguments of another kind than is expected, from Python: what is accepted is said, at once."""

import errno
import inspect
import os
import pickle
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import ctc_ocr
from ctc_ocr.datasets.captcha_packs import write_captcha_pack
from ctc_ocr.datasets.page_cutting import cut_pages
from ctc_ocr.datasets.page_pictures import write_page_pictures
from ctc_ocr.datasets.sources import SOURCES, read_source
from ctc_ocr.errors import InputError, RunError
from ctc_ocr.evaluation.evaluator import Evaluator
from ctc_ocr.inference.evaluate import open_sources
from ctc_ocr.inference.image_list import ListedImage
from ctc_ocr.inference.predictions_csv import predictions_file
from ctc_ocr.lengths import Lengths
from ctc_ocr.pages.fetching import fetch_pmjtc_sample
from ctc_ocr.runtime.mxnet_errors import reason_of
from ctc_ocr.serving.app import make_app
from ctc_ocr.serving.models import load_models
from ctc_ocr.serving.settings import Limits, Settings
from ctc_ocr.training.prefix import usable_prefix

IMAGE = Path(__file__).parents[1] / "docs" / "sample.png"
DIGITS = ctc_ocr.Alphabet(tuple("0123456789"))


def refused(call: Callable[[], Any]) -> str:
    with pytest.raises(InputError) as error:
        call()
    return str(error.value)


def test_an_alphabet_has_a_tuple_of_units() -> None:
    other: Any
    assert refused(lambda: ctc_ocr.Alphabet("ab")) == (  # type: ignore[arg-type]
        "expected the units as a tuple: Alphabet(tuple('ab')) has those of a text"
    )
    for other in (5, [1, 2]):
        assert refused(lambda other=other: ctc_ocr.Alphabet(other)) == (  # type: ignore[misc]
            "expected a tuple of texts, which are the units"
        )
    assert ctc_ocr.Alphabet(list("0123456789")) == DIGITS  # type: ignore[arg-type]


def test_labelled_images_have_an_alphabet() -> None:
    other: Any = "0123456789"
    assert refused(lambda: ctc_ocr.LabelledImages("photos", alphabet=other)) == (
        "alphabet: expected an Alphabet; Alphabet(tuple(text)) has the characters of a text"
    )


def test_captchas_have_a_renderer() -> None:
    other: Any = "fast"
    assert refused(lambda: ctc_ocr.Captchas(renderer=other)) == (
        "renderer: expected an object; preset(data={'renderer': 'fast'}) is for a name"
    )


def test_a_decoder_takes_lengths_as_the_command_line_does() -> None:
    five: Any = 5
    assert ctc_ocr.Decoder(lengths="4-6").bind(DIGITS).lengths == Lengths.parse("4-6")
    assert ctc_ocr.Decoder(lengths=five).bind(DIGITS).lengths == Lengths.parse("5")
    assert "got '6-4'" in refused(lambda: ctc_ocr.Decoder(lengths="6-4"))


def test_a_decoder_has_a_weight_and_an_order_that_can_be() -> None:
    assert refused(lambda: ctc_ocr.Decoder(lm_weight=-1)) == "lm_weight: expected a weight of 0 or more, got -1"
    assert refused(lambda: ctc_ocr.Decoder(lm_order=0)) == "lm_order: expected 1 to 20, got 0"


def test_something_is_allowed() -> None:
    nothing: Any
    for nothing in ("", [], ()):
        assert refused(lambda nothing=nothing: ctc_ocr.Decoder(allowed=nothing).bind(DIGITS)) == (  # type: ignore[misc]
            "allowed: expected at least one unit"
        )


def test_a_number_of_numpy_is_a_number() -> None:
    settings = ctc_ocr.preset(
        "word", training={"num_epoch": np.int64(2), "learning_rate": np.float32(0.5), "momentum": np.int32(0)}
    ).training
    assert (settings.num_epoch, settings.learning_rate, settings.momentum) == (2, 0.5, 0.0)
    assert all(type(each) in (int, float) for each in (settings.num_epoch, settings.learning_rate, settings.momentum))
    assert "expected int" in refused(lambda: ctc_ocr.preset("word", training={"num_epoch": np.float64(2)}))


OTHER_KINDS: list[tuple[Callable[..., Any], str, Any, str]] = [
    (ctc_ocr.SourceOptions, "seq_length", "3", "two integers, such as (2, 5), or None"),
    (ctc_ocr.SourceOptions, "seq_length", (2, "5"), "two integers, such as (2, 5), or None"),
    (ctc_ocr.SourceOptions, "delimiter", 5, "a text or None"),
    (ctc_ocr.SourceOptions, "margin", "0.1", "a number"),
    (ctc_ocr.SourceOptions, "min_frequency", "2", "an integer"),
    (ctc_ocr.SourceOptions, "strip_accents", "no", "True or False"),
    (ctc_ocr.SourceOptions, "image_column", 1.5, "a name, a number from 1 or None"),
    (ctc_ocr.RunOptions, "gpu_ids", 1, "a list of numbers"),
    (ctc_ocr.RunOptions, "gpu_ids", ["1"], "a list of numbers"),
    (ctc_ocr.RunOptions, "num_proc", "2", "an integer or None"),
    (ctc_ocr.RunOptions, "gpu", None, "an integer"),
    (ctc_ocr.RunOptions, "resume", "no", "True or False"),
    (ctc_ocr.RunOptions, "prefix", 5, "a path"),
    (ctc_ocr.RunOptions, "init_from", 5, "a path or None"),
    (ctc_ocr.Decoder, "allowed", 5, "a text or a list of units or None"),
    (ctc_ocr.Decoder, "allowed", [1, 2], "a text or a list of units or None"),
    (ctc_ocr.Decoder, "beam_width", "10", "an integer or None"),
    (ctc_ocr.Decoder, "top_k", 2.5, "an integer"),
    (ctc_ocr.Decoder, "length_bonus", "1", "a number"),
    (ctc_ocr.Decoder, "separators", None, "a text"),
    (ctc_ocr.Decoder, "language_model", 5, "a path or None"),
    (ctc_ocr.Decoder, "words", 5, "words or a path or None"),
]


@pytest.mark.parametrize(("make", "name", "value", "accepted"), OTHER_KINDS)
def test_options_of_another_kind_are_refused_when_they_are_made(
    make: Callable[..., Any], name: str, value: Any, accepted: str
) -> None:
    assert refused(lambda: make(**{name: value})) == f"{name}: expected {accepted}; got {value!r}"


OTHER_ARGUMENTS: list[tuple[Callable[..., Any], tuple[Any, ...], str, Any, str]] = [
    (ctc_ocr.train, (), "prefix", None, "a path"),
    (ctc_ocr.preset, (), "name", ["word"], "a text"),
    (ctc_ocr.find_learning_rate, (), "min_rate", "0.1", "a number"),
    (ctc_ocr.find_learning_rate, (), "num_updates", None, "an integer"),
    (ctc_ocr.find_learning_rate, (), "progress", 5, "a function or None"),
    (ctc_ocr.plot_curve, ("curve.png",), "curve", None, "RateCurve"),
    (ctc_ocr.train_with_unlabelled, ("photos",), "unlabelled", 5, "a path or a list of paths"),
    (ctc_ocr.train_with_unlabelled, ("photos", ["a"]), "rounds", "2", "an integer"),
    (ctc_ocr.cross_validate, ("photos",), "folds", "5", "an integer"),
    (ctc_ocr.learning_curve, ("photos",), "folds", 2.5, "an integer"),
    (ctc_ocr.audit_labels, ("starter", "photos"), "folds", None, "an integer"),
    (ctc_ocr.correct_labels, (), "source", 5, "a path"),
    (ctc_ocr.correct_labels, ("photos", "suspects.csv"), "out", 5, "a path"),
    (ctc_ocr.correct_labels, ("photos", "suspects.csv", "out.csv"), "overwrite", "no", "True or False"),
    (ctc_ocr.write_suspects, (), "path", None, "a path"),
    (ctc_ocr.write_suspects, ("suspects.csv",), "suspects", 5, "a list"),
    (ctc_ocr.write_readings, (), "path", 5, "a path"),
    (ctc_ocr.write_text, (), "image", None, "a path"),
    (ctc_ocr.write_text, ("a.png",), "text", 5, "a text or None"),
    (ctc_ocr.Predictor, (), "model", None, "a path"),
    (ctc_ocr.ReaderPool, (), "model", 5, "a path"),
    (ctc_ocr.ReaderPool, ("starter",), "num_proc", "2", "an integer or None"),
    (ctc_ocr.ReaderPool, ("starter",), "threads", None, "an integer"),
    (ctc_ocr.evaluate, (), "model", 5, "a path"),
    (ctc_ocr.evaluate, ("starter", "photos"), "progress", 5, "a function or None"),
    (ctc_ocr.interpret, ("starter", "photos"), "top", None, "an integer"),
    (ctc_ocr.bundle_model, ("starter",), "out", 5, "a path"),
    (ctc_ocr.export_onnx, ("starter",), "path", 5, "a path"),
    (ctc_ocr.export_onnx, ("starter", "m.onnx"), "images", 5, "a list"),
    (ctc_ocr.register_task, ("mine",), "task", "word", "Task"),
    (ctc_ocr.Task, (), "preset", 5, "a text"),
    (ctc_ocr.Task, ("word",), "changes", 5, "Mapping"),
    (cut_pages, ("pages",), "folder", 5, "a path"),
    (write_page_pictures, (), "source", 5, "a path"),
    (fetch_pmjtc_sample, (), "folder", None, "a path"),
    (load_models, (), "given", None, "a list"),
    (Limits, (), "max_images", 2.5, "an integer"),
    (Limits, (), "body_seconds", "30", "a number"),
    (Settings, (), "threads", "2", "an integer or None"),
    (Settings, (), "api_key", 5, "a text or None"),
    (Settings, (), "log_requests", "no", "True or False"),
    (make_app, (), "models", None, "a list"),
    (ctc_ocr.Hyperparameters, (), "data", {"ink": "light"}, "Data"),
    (ctc_ocr.CaptchaWriter.create, (), "data", None, "Data"),
    (ctc_ocr.CaptchaWriter.create, (ctc_ocr.Data(), 1), "font", 5, "a path or None"),
    (ctc_ocr.Captchas, (), "font", 5, "a path or None"),
    (ctc_ocr.LabelledImages, ("photos",), "max_units", "8", "an integer"),
    (ctc_ocr.LabelledImages, ("photos",), "max_invalid", "0.1", "a number"),
    (ctc_ocr.LabelledImages, ("photos",), "validation_fraction", "0.1", "a number or None"),
    (ctc_ocr.LabelledImages, ("photos",), "only_alphabet", "no", "True or False"),
    (ctc_ocr.LabelledImages, ("photos",), "choose", 5, "a list or None"),
    (ctc_ocr.Alphabet.from_lookup, (), "lookup", 5, "Mapping"),
    (ctc_ocr.Alphabet.from_labels, (), "labels", 5, "a list"),
    (ctc_ocr.LanguageModel.from_lines, (["1"],), "alphabet", "0123", "Alphabet"),
    (ctc_ocr.LanguageModel.from_file, (), "path", None, "a path"),
    (ctc_ocr.WordList.from_words, (["1"],), "alphabet", "0123", "Alphabet"),
    (ctc_ocr.Lengths.parse, (), "text", 5, "a text"),
]


@pytest.mark.parametrize(("call", "given", "name", "value", "accepted"), OTHER_ARGUMENTS)
def test_arguments_of_another_kind_are_refused(
    call: Callable[..., Any], given: tuple[Any, ...], name: str, value: Any, accepted: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    others: dict[str, Any] = {
        "source": "photos", "suspects": "s.csv", "out": "o.csv", "path": "p", "text": "t", "data": "photos",
        "alphabet": DIGITS, "readings": [], "seed": 1,
    }  # fmt: skip
    parameters = [*inspect.signature(call).parameters.values()][len(given) :]
    needed = {each.name: others.get(each.name) for each in parameters if each.default is each.empty}
    needed.pop("options", None)
    assert refused(lambda: call(*given, **{**needed, name: value})) == f"{name}: expected {accepted}; got {value!r}"
    assert not list(tmp_path.iterdir())


def test_lists_have_what_they_are_lists_of(tmp_path: Path) -> None:
    wrong: Any = ["a"]
    path = tmp_path / "x.csv"
    assert refused(lambda: ctc_ocr.write_readings(path, wrong)) == "readings: expected a list of Reading; got 'a' in it"
    assert refused(lambda: ctc_ocr.write_suspects(path, wrong)) == "suspects: expected a list of Suspect; got 'a' in it"
    wrong = ["12", 5]
    assert refused(lambda: ctc_ocr.WordList.from_words(wrong, DIGITS)) == "words: expected a list of str; got 5 in it"
    assert not path.exists()


def test_a_text_beside_an_image_is_a_text(tmp_path: Path) -> None:
    number: Any = 5
    assert refused(lambda: ctc_ocr.write_text(tmp_path / "a.png", number)) == "text: expected a text or None; got 5"
    assert not list(tmp_path.iterdir())


def test_several_sources_are_given_as_labelled_images() -> None:
    several: Any = ["one", "two"]
    hint = "; LabelledImages([...]) takes several sources"
    assert refused(lambda: ctc_ocr.train(data=several, prefix="x")) == (
        f"data: expected Captchas, LabelledImages or a path, got list{hint}"
    )
    assert refused(lambda: ctc_ocr.cross_validate(several, 2)) == (
        f"data: expected LabelledImages or a path, got list{hint}"
    )


def test_a_decoder_that_replaces_another_is_bound(pool: ctc_ocr.ReaderPool) -> None:
    wrong: Any
    predictor = ctc_ocr.Predictor("starter")
    for reader in (predictor, pool):
        before = reader.decoder
        for wrong in (ctc_ocr.Decoder(beam_width=3), None, "beam"):
            with pytest.raises(InputError) as error:
                reader.decoder = wrong
            assert str(error.value) == (
                "decoder: expected a bound decoder: Decoder(...).bind(predictor.alphabet, predictor.lengths); "
                f"got {wrong!r}"
            )
        reader.decoder = ctc_ocr.Decoder(beam_width=3).bind(reader.alphabet, reader.lengths)
        assert reader.decoder != before
        reader.decoder = before


def test_an_epoch_is_a_number_or_a_name(tmp_path: Path) -> None:
    wrong: Any
    for wrong in ("1", "last", 1.0, True, [1]):
        said = f"epoch: expected a number, 'best', 'newest' or None; got {wrong!r}"
        assert refused(lambda wrong=wrong: ctc_ocr.Predictor("starter", wrong)) == said  # type: ignore[misc]
        assert refused(lambda wrong=wrong: ctc_ocr.Predictor("model.onnx", wrong)) == said  # type: ignore[misc]
        assert refused(lambda wrong=wrong: ctc_ocr.bundle_model("m", tmp_path / "m.zip", wrong)) == said  # type: ignore[misc]
    wrong = np.int64(1)
    assert ctc_ocr.Predictor("starter", wrong).epoch == 1


def test_images_in_place_of_hyperparameters() -> None:
    images: Any
    for images in ("photos", Path("photos"), ctc_ocr.LabelledImages(["photos"]), ctc_ocr.Captchas()):
        assert refused(lambda images=images: ctc_ocr.train(images)) == (  # type: ignore[misc]
            f"hyperparameters: expected Hyperparameters, as from preset(); got {images!r}; images are given as data=..."
        )
    name: Any = "crnn"
    assert refused(lambda: ctc_ocr.train(name)).endswith("as from preset(); got 'crnn'")


def test_an_image_of_pil_is_read_by_its_pixels() -> None:
    predictor = ctc_ocr.Predictor("starter")
    with Image.open(IMAGE) as file:
        image: Any = file.copy()
    accepted = "a path, encoded bytes, or pixels (H, W) or (H, W, 3) uint8"
    assert refused(lambda: predictor.read(image)) == (
        f'image: expected {accepted}, got Image; numpy.asarray(image.convert("RGB")) has the pixels of an image of PIL'
    )
    assert predictor.read(np.asarray(image.convert("RGB"))).text == predictor.read(IMAGE).text
    for one in (image, None, 5):
        assert refused(lambda one=one: predictor.predict(one)) == (  # type: ignore[misc]
            "images: expected a list of images; `read` takes one image"
        )


def test_a_writer_of_captchas_refuses_what_it_cannot_write(tmp_path: Path) -> None:
    wrong: Any = 5
    writer = ctc_ocr.CaptchaWriter.create(ctc_ocr.preset("crnn").data, 3)
    assert refused(lambda: writer.write(wrong)) == "path: expected a path; got 5"
    assert refused(lambda: writer.write(tmp_path / "a.png", wrong)) == "text: expected a text or None; got 5"
    assert refused(lambda: writer.write(tmp_path / "a.png", "")) == "text: expected at least one character, got none"
    assert refused(lambda: writer.write(tmp_path / "a.png", index=-1)) == "index: expected 0 or more, got -1"
    assert refused(lambda: writer.write_folder(tmp_path, wrong, format=wrong)) == "format: expected a text; got 5"
    assert refused(lambda: writer.write_folder(wrong, 2)) == "folder: expected a path; got 5"
    with pytest.raises(RunError, match="OpenCV cannot write this format"):
        writer.encoded(".xyz")
    assert not list(tmp_path.iterdir())


def test_an_alphabet_has_units_and_forms_that_there_are() -> None:
    wrong: Any
    assert refused(lambda: DIGITS.with_unicode_form("nfc")) == (
        "form: expected NFC, NFD, NFKC, NFKD or nothing, got 'nfc'"
    )
    for wrong in (5, None):
        assert refused(lambda wrong=wrong: DIGITS.encode(wrong)) == (  # type: ignore[misc]
            f"units: expected a list; got {wrong!r}"
        )
    wrong = ["1", 5, "x"]
    assert refused(lambda: DIGITS.encode(wrong)) == "not in the alphabet: 5, 'x'"
    assert refused(lambda: DIGITS.extended(wrong)) == "units: expected a list of str; got 5 in it"


def test_a_server_has_models_and_names_of_hosts() -> None:
    wrong: Any = "example.org"
    assert refused(lambda: Settings(allowed_hosts=wrong)) == (
        "allowed_hosts: expected a list, such as ['example.org'], got 'example.org'"
    )
    assert refused(lambda: load_models("starter")) == "given: expected a list, such as ['starter'], got 'starter'"
    wrong = ["starter"]
    assert refused(lambda: make_app(wrong)) == "models: expected a list of ServedModel; got 'starter' in it"
    models = load_models(["starter"])
    wrong = {"max_images": 5}
    assert refused(lambda: make_app(models, wrong)) == f"limits: expected Limits or None; got {wrong!r}"
    assert refused(lambda: make_app(models, None, wrong)) == f"settings: expected Settings or None; got {wrong!r}"


def test_a_source_of_your_own_gives_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    def forgets(argument: str, options: Any) -> Any: ...

    monkeypatch.setattr(SOURCES, "_parts", dict(SOURCES._parts))
    ctc_ocr.register_source("forgets")(forgets)
    assert refused(lambda: ctc_ocr.open_source("forgets:x")) == (
        "forgets:x: a source must give Sample and Problem objects, got NoneType"
    )


def test_options_are_not_a_dict() -> None:
    other: Any = {"delimiter": ";"}
    said = "options: expected SourceOptions, such as SourceOptions(delimiter=';'); got {'delimiter': ';'}"
    for take in (ctc_ocr.open_source, ctc_ocr.LabelledImages):
        assert refused(lambda take=take: take("labels.csv", options=other)) == said  # type: ignore[misc]
    assert refused(lambda: ctc_ocr.evaluate("starter", "labels.csv", options=other)) == said


@pytest.mark.parametrize("make", [ctc_ocr.Predictor, ctc_ocr.ReaderPool])
def test_a_reader_has_a_decoder(make: Callable[..., Any]) -> None:
    said = "decoder: expected a Decoder, such as Decoder(beam_width=10); got {'beam_width': 3}"
    assert refused(lambda: make("starter", decoder={"beam_width": 3})) == said


def test_options_take_what_is_of_their_kind() -> None:
    integer: Any = np.int64(3)
    assert ctc_ocr.SourceOptions(seq_length=(integer, integer), image_column=integer).seq_length == (3, 3)
    assert ctc_ocr.RunOptions(gpu_ids=(integer,), num_proc=integer).gpus == (3,)
    assert ctc_ocr.Decoder(beam_width=integer, lm_weight=1, allowed={"1"}).bind(DIGITS).search is not None


def test_a_column_has_a_number_of_any_kind(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("1,a.png\n2,b.png\n")
    integer: Any = np.int64(2)
    samples, _ = read_source(tmp_path / "labels.csv", ctc_ocr.SourceOptions(image_column=integer, label_column=1))
    assert [sample.label for sample in samples] == ["1", "2"]


def test_no_sources_are_an_error() -> None:
    assert refused(lambda: open_sources([])) == "source: expected at least one source, got none"


def test_numbers_of_reading_are_numbers(tmp_path: Path) -> None:
    wrong: Any
    for wrong in ("8", 8.5, None):
        said = f"batch_size: expected 1 to 10000 images, got {wrong!r}"
        assert refused(lambda wrong=wrong: ctc_ocr.Predictor("starter", batch_size=wrong)) == said  # type: ignore[misc]
    wrong = "0.5"
    assert refused(lambda: Evaluator(DIGITS, wrong)) == "min_confidence: expected a number from 0 to 1, got '0.5'"


def test_a_form_of_unicode_is_one() -> None:
    assert refused(lambda: ctc_ocr.SourceOptions(unicode_form="nfc")) == (
        "unicode_form: expected NFC, NFD, NFKC, NFKD or nothing, got 'nfc'"
    )


def test_a_part_is_registered_by_a_name() -> None:
    def tell(event: Any) -> None: ...

    wrong: Any = tell
    assert refused(lambda: ctc_ocr.register_callback(wrong)) == (
        'expected a name in parentheses: register_callback("name")'
    )


def test_captchas_are_not_checked() -> None:
    session = ctc_ocr.TrainingSession(ctc_ocr.preset("crnn"))
    assert refused(session.checked_images) == "data: expected LabelledImages: captchas are not checked"


def test_runs_and_experiments_take_options_and_images() -> None:
    prefix: Any = "models/x"
    captchas: Any = ctc_ocr.Captchas()
    assert refused(lambda: ctc_ocr.TrainingSession(None, "photos", prefix)) == ("options: expected RunOptions, got str")
    assert refused(lambda: ctc_ocr.cross_validate(captchas, 2)) == (
        "data: expected LabelledImages or a path, got Captchas"
    )


ACCEPTED = (
    "prefix, resume, overwrite, init_from, kv_store, num_proc, cpu, gpu, gpu_ids, tensorboard, progress"  # RunOptions
)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("max_minutes", 0.5, 'is a hyperparameter: preset("word", training={"max_minutes": 0.5}) sets it'),
        ("ink", "light", """is a hyperparameter: preset("word", data={"ink": 'light'}) sets it"""),
        ("only_alphabet", True, "belongs to the images: LabelledImages(..., only_alphabet=True) sets it"),
        ("overwrites", True, f"no option has this name; accepted: {ACCEPTED}; did you mean overwrite?"),
        (
            "num_epochs", 5,
            f'no option has this name; accepted: {ACCEPTED}; did you mean preset("word", training={{"num_epoch": 5}})?',
        ),
        ("colour", 5, f"no option has this name; accepted: {ACCEPTED}"),
    ],
)  # fmt: skip
def test_an_option_that_a_training_does_not_have(name: str, value: Any, said: str) -> None:
    assert refused(lambda: ctc_ocr.train(data="photos", prefix="x", **{name: value})) == f"{name}: {said}"
    assert refused(lambda: ctc_ocr.RunOptions(**{name: value})) == f"{name}: {said}"


def test_options_that_are_checked_are_a_dataclass_as_before() -> None:
    made = ctc_ocr.RunOptions("x", num_proc=2)
    assert pickle.loads(pickle.dumps(made)) == replace(made, cpu=None) == made
    assert list(inspect.signature(ctc_ocr.RunOptions).parameters) == ACCEPTED.split(", ")


def test_no_unlabelled_images_are_an_error() -> None:
    assert refused(lambda: ctc_ocr.train_with_unlabelled("photos", [])) == (
        "unlabelled: expected at least one image or folder, got none"
    )


@pytest.mark.parametrize(("count", "num_proc"), [(-1, 1), (2, 0)])
def test_a_folder_of_captchas_has_some(count: int, num_proc: int, tmp_path: Path) -> None:
    writer = ctc_ocr.CaptchaWriter.create(ctc_ocr.preset("crnn").data, 3)
    said = f"expected a count and num_proc of 1 or more, got {count} and {num_proc}"
    assert refused(lambda: writer.write_folder(tmp_path, count, num_proc=num_proc)) == said
    assert refused(lambda: write_captcha_pack(writer, tmp_path / "x", count, num_proc=num_proc)) == said


def test_captchas_of_an_unknown_format_replace_no_others(tmp_path: Path) -> None:
    writer = ctc_ocr.CaptchaWriter.create(ctc_ocr.preset("crnn").data, 3)
    writer.write_folder(tmp_path, 2)
    before = {path.name for path in tmp_path.iterdir()}
    said = "format: expected one of png, jpg, jpeg, bmp, tif, tiff, webp, pgm, got 'xyz'"
    assert refused(lambda: writer.write_folder(tmp_path, 2, format="xyz", overwrite=True)) == said
    assert {path.name for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("prefix", ["starter", "run.onnx"])
def test_a_run_has_a_name_under_which_it_can_be_read(
    prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def use() -> None:
        with usable_prefix(prefix):
            raise AssertionError

    assert refused(use) == f"prefix {prefix!r}: is the name of another kind of model; choose another prefix"
    with usable_prefix("starters"):
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("length", [217, 300])
def test_a_run_has_a_name_with_which_all_its_files_can_be_written(length: int, tmp_path: Path) -> None:
    """Else it would fail after its first epoch."""
    prefix = str(tmp_path / "new" / ("a" * length))

    def use() -> None:
        with usable_prefix(prefix):
            raise AssertionError

    assert (
        refused(use) == f"prefix {prefix}: {tmp_path / 'new'} cannot be written to: {os.strerror(errno.ENAMETOOLONG)}"
    )
    assert not list(tmp_path.iterdir())
    with usable_prefix(str(tmp_path / "new" / ("a" * 200))):
        pass


def test_several_images_are_no_array() -> None:
    pixels: Any = np.full((60, 160, 3), 255, np.uint8)
    predictor = ctc_ocr.Predictor("starter")
    assert refused(lambda: predictor.predict(pixels)) == (
        "images: expected a list of images, got one array; `read` takes one image"
    )
    assert len(predictor.predict(list(np.stack([pixels, pixels])))) == 2


@pytest.fixture(scope="module")
def pool() -> Iterator[ctc_ocr.ReaderPool]:
    with ctc_ocr.ReaderPool("starter", 1) as made:
        yield made


def test_a_pool_takes_several_images(pool: ctc_ocr.ReaderPool) -> None:
    one: Any = str(IMAGE)
    assert refused(lambda: list(pool.predict(one))) == "images: expected a list of images; `read` takes one image"
    assert len(list(pool.predict([one]))) == 1


def test_files_are_written_where_a_str_says(tmp_path: Path) -> None:
    ctc_ocr.write_readings(str(tmp_path / "readings.csv"), [])
    assert (tmp_path / "readings.csv").read_text().startswith("image,")


def test_a_bundle_has_its_epoch_by_any_name(tmp_path: Path) -> None:
    for epoch in ("best", "newest", 1, None):
        assert ctc_ocr.Predictor("starter", epoch).epoch == 1
    assert "epoch 2 was asked for" in refused(lambda: ctc_ocr.Predictor("starter", 2))


def test_a_confidence_is_a_fraction() -> None:
    assert refused(lambda: ctc_ocr.evaluate("starter", IMAGE.parent, min_confidence=90)).endswith(
        "min_confidence: expected a number from 0 to 1, got 90"
    )


def test_an_error_of_mxnet_without_a_message_is_told() -> None:
    assert reason_of("") == "an error without a message"


def test_a_name_with_a_line_end_leaves_the_other_rows_readable(tmp_path: Path) -> None:
    with predictions_file(tmp_path / "p.csv") as write:
        for name in ("a\nb.png", "c.png"):
            write(ListedImage(name, tmp_path / name), "1", None, "read")
    assert (tmp_path / "p.csv").read_text().splitlines()[1:] == ["a\\nb.png,1,,,read", "c.png,1,,,read"]
