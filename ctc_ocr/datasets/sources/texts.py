"""Labels in text files of one line beside the images: x.txt of x.png; or x.gt.txt of x.png, x.bin.png and x.nrm.png.
The suffix may be in capitals, as that of an image may."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from ctc_ocr.datasets.samples import Problem, Rows, Sample, characters
from ctc_ocr.datasets.sources.folders import Folder
from ctc_ocr.errors import InputError
from ctc_ocr.runtime.input_files import MAX_LINE_BYTES, read_bytes

TEXT_SUFFIX = ".txt"
GT_SUFFIX = ".gt.txt"

TextsOf = Callable[[Path], tuple[Path, ...]]  # where the text of an image may be, the likeliest place first


def read_text_files(folder: Folder, unicode_form: str) -> Rows | None:
    """Labels in the .gt.txt files beside the images if there is one, or else in the .txt files; None without either."""
    for suffix, texts_of in ((GT_SUFFIX, _gt_texts), (TEXT_SUFFIX, _texts)):
        texts = _by_name(folder.others, suffix)
        if any(text in texts for path in folder.images for text in texts_of(path)):
            return _read(folder, texts, suffix, texts_of, unicode_form)
    return None


def _by_name(paths: Iterable[Path], suffix: str) -> dict[Path, Path]:
    """The files that end with a suffix, by their paths with the suffix in small letters."""
    found = (path for path in paths if path.name.lower().endswith(suffix))
    return {path.with_name(path.name[: -len(suffix)] + suffix): path for path in found}


def _texts(image: Path) -> tuple[Path, ...]:
    return (image.with_suffix(TEXT_SUFFIX),)


def _gt_texts(image: Path) -> tuple[Path, ...]:
    """Also that of the name up to its first dot: variants of an image (x.bin.png, x.nrm.png) share x.gt.txt."""
    return image.with_suffix(GT_SUFFIX), image.with_name(image.name.partition(".")[0] + GT_SUFFIX)


def _read(folder: Folder, texts: Mapping[Path, Path], suffix: str, texts_of: TextsOf, unicode_form: str) -> Rows:
    def read() -> Iterator[Sample | Problem]:
        alone = set(texts.values())
        for image in folder.images:
            candidates = texts_of(image)
            text = next((texts[path] for path in candidates if path in texts), candidates[-1])
            alone.discard(text)
            yield _with_text(image, text, unicode_form)
        for path in sorted(alone):
            yield Problem(str(path), "there is no image of the same name")

    rows = Rows(f"the {suffix} files beside the images", len(folder.images), read, folder.notes)
    return replace(rows, form=rows.form + folder.not_read(texts.values()))


def _with_text(image: Path, text: Path, unicode_form: str) -> Sample | Problem:
    try:
        return Sample(str(image), characters(_read_line(text), unicode_form), str(image))
    except InputError as error:
        return Problem.of(error) if text.exists() else Problem(str(image), f"there is no {text.name} beside it")
    except UnicodeDecodeError as error:
        return Problem(
            str(text), f"not UTF-8: {error.object[error.start]:#04x} at byte {error.start + 1}; save the file as UTF-8"
        )
    except ValueError as error:
        return Problem(str(text), str(error))


def _read_line(path: Path) -> str:
    """The only line of a text file, without its end."""
    content = read_bytes(path, MAX_LINE_BYTES, pipes=False)
    lines = content.decode("utf-8-sig").replace("\r\n", "\n").rstrip("\n").split("\n")
    if len(lines) > 1:
        raise ValueError(f"{len(lines)} lines of text; expected one")
    return lines[0]
