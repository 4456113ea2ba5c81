"""Labels in the names of image files. Names that a camera, a scanner or a counter gave are not taken for labels."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ctc_ocr.alphabet import is_text
from ctc_ocr.datasets.samples import Problem, Rows, Sample, SourceOptions, characters
from ctc_ocr.datasets.sources.folders import Folder, finder
from ctc_ocr.datasets.sources.running_numbers import is_running
from ctc_ocr.datasets.sources.two_parts import AFTER_NUMBER, AFTER_UNDERSCORE, are_ambiguous, begin_with_counter
from ctc_ocr.errors import InputError

DEFAULT_PATTERN = r"^(?P<label>.*?)(_[^_]*)?$"  # up to the last underscore, or all without one
PATTERN_HINT = f"--pattern, for labels that are in the names (the usual one is {DEFAULT_PATTERN})"

# What cameras, scanners, telephones and messengers call their files; UUIDs, digests and times.
DEVICE = re.compile(
    r"""
    (?:img|dsc[nf]?|_dsc|_mg|pxl|mvimg|vid|dji|gopr|pict|cimg|imgp|imag|fb_img|image|picture|photo|foto)[-_ ]?\(?e?\d
    | sam_\d | p10\d{5}$
    | (?:adobe[-_ ]?|cam)?scan(?:ner|ned)?(?:[-_ ]*\(?\d|$)
    | screen[-_ ]?shot | bildschirmfoto | whatsapp[-_ ](?:image|bild|photo) | signal-\d
    | (?:untitled|unbenannt)[-_ \d]*$
    | [0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}
    | (?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64})$
    | (?:19|20)\d\d(?P<s>[-_.]?)(?:0[1-9]|1[0-2])(?P=s)(?:0[1-9]|[12]\d|3[01])[-_. t]+\d\d[-_.h]?\d\d[-_.m]?\d\d
    """,
    re.IGNORECASE | re.VERBOSE,
)
COPY = re.compile(r"(?: - (?:kopie|copy|copie|copia)(?: \(\d+\))?| copy(?: \d+)?| ?\(\d+\))$", re.IGNORECASE)
WITHOUT_COPY = r"^(?P<label>.*?)(_[^_]*)?( - [Kk]opie.*| - [Cc]op.*| copy.*| ?\(\d+\))?$"
MAX_OF_DEVICES = 0.1  # larger fractions of names that devices gave are refused
MIN_ALIKE = 0.95  # fraction of equal labels that is refused
MAX_NAMED = 3


def read_names(folder: Folder, options: SourceOptions) -> Rows:
    """Labels in file names, found by the pattern; each character is a unit.

    Raises InputError if the default pattern would find no labels, but what a device or a counter put there.
    """
    images = folder.require_images()
    pattern = DEFAULT_PATTERN if options.pattern is None else options.pattern
    try:
        find = finder(pattern, "label")
    except InputError as error:
        raise error.within("pattern") from None
    notes = list(folder.notes)
    if options.pattern is None:
        labels = [find(path.stem) or "" for path in images]
        _refuse_other_names(folder.path, images, labels)
        notes += [*_copies(folder.path, images), *_doubts(folder.path, images, labels)]

    def sample(path: Path) -> Sample | Problem:
        label = find(path.stem)
        if label is None:
            return Problem(str(path), f"the pattern {pattern!r} does not match the name")
        if not is_text(label):
            return Problem(ascii(str(path)), "the name is not UTF-8")
        return Sample(str(path), characters(label, options.unicode_form), str(path))

    rows = Rows(f"file names (pattern {pattern!r})", len(images), lambda: map(sample, images), tuple(notes))
    return replace(rows, form=rows.form + folder.not_read(()))


def _copies(folder: Path, images: Sequence[Path]) -> Iterator[Problem]:
    """One note on all names that end like a copy's, with the pattern that leaves these ends out."""
    found = [path.stem for path in images if COPY.search(path.stem)]
    if found:
        yield Problem(
            str(folder),
            f"names that end like a copy's, which is in their labels: {len(found)} ({_shown(found)}). --pattern "
            f"{WITHOUT_COPY!r} leaves it out",
        )


def _refuse_other_names(folder: Path, images: Sequence[Path], labels: list[str]) -> None:
    """Raises InputError for names that are no labels."""
    devices = [path.name for path in images if DEVICE.match(path.stem)]
    if len(devices) > MAX_OF_DEVICES * len(images):
        raise _refused(folder, f"{len(devices)} of {len(images)} names are those of a camera or scanner", devices)
    label, count = Counter(labels).most_common(1)[0]
    if count > max(1, MIN_ALIKE * len(labels)):
        raise _refused(
            folder, f"by their names, {count} of {len(images)} images have the label {label!r}", _names(images)
        )
    stems = [path.stem for path in images]
    if begin_with_counter(stems):
        raise InputError(
            f"the names begin with a running number ({_shown(_names(images))}), which is not taken for the label. "
            f"--pattern {AFTER_NUMBER!r} takes what follows it, and {DEFAULT_PATTERN!r} what is before the last "
            "underscore",
            folder,
        )
    ends = {stem[len(label) :] for stem, label in zip(stems, labels, strict=True)}
    one_end = len(ends) == 1 and not ends.pop().lstrip("_").isdecimal()  # a number would count the images of a label
    if is_running(labels, any_width=one_end):
        raise _refused(folder, "the names differ in a running number only", _names(images))


def _doubts(folder: Path, images: Sequence[Path], labels: Sequence[str]) -> Iterator[Problem]:
    """A note if a few names are those of a device, and one if another part of the names could be the label."""
    devices = [path.name for path in images if DEVICE.match(path.stem)]
    if devices:
        yield Problem(str(folder), f"names like those of a camera or scanner: {len(devices)} ({_shown(devices)})")
    if are_ambiguous([path.stem for path in images]):
        yield Problem(
            str(folder),
            f"the labels are what is before the last underscore of the names: {labels[0]!r} in {images[0].name}. "
            f"--pattern {AFTER_UNDERSCORE!r} takes what follows it",
        )


def _names(images: Sequence[Path]) -> list[str]:
    return [path.name for path in images]


def _shown(names: Sequence[str]) -> str:
    return ", ".join(names[:MAX_NAMED]) + (", ..." if len(names) > MAX_NAMED else "")


def _refused(folder: Path, reason: str, names: Sequence[str]) -> InputError:
    return InputError(
        f"{reason} ({_shown(names)}), and are not taken for labels. Use a file with the labels as the source, or "
        f"{PATTERN_HINT}",
        folder,
    )
