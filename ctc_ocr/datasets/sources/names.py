"""Labels in the names of image files. Names that a camera, a scanner or a counter gave are not taken for labels."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ctc_ocr.alphabet import is_text
from ctc_ocr.datasets.samples import Problem, Rows, Sample, SourceOptions, characters
from ctc_ocr.datasets.sources.folders import Folder, finder
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
NUMBERED = re.compile(r"(.*?)([0-9]+)", re.DOTALL)
MAX_OF_DEVICES = 0.1  # larger fractions of names that devices gave are refused
MIN_ALIKE = 0.95  # fraction of equal labels that is refused
MIN_RUNNING = 0.9  # fraction of labels in a run of numbers, and of numbers in the run that are there
MIN_RUN = 3
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
        notes += _copies(folder.path, images)
        notes += _refuse_other_names(folder.path, images, [find(path.stem) or "" for path in images])

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


def _refuse_other_names(folder: Path, images: Sequence[Path], labels: Sequence[str]) -> list[Problem]:
    """Raises InputError for names that are no labels. A note if a few are those of a device."""
    devices = [path.name for path in images if DEVICE.match(path.stem)]
    if len(devices) > MAX_OF_DEVICES * len(images):
        raise _refused(folder, f"{len(devices)} of {len(images)} names are those of a camera or scanner", devices)
    label, count = Counter(labels).most_common(1)[0]
    if count > max(1, MIN_ALIKE * len(labels)):
        raise _refused(
            folder, f"by their names, {count} of {len(images)} images have the label {label!r}", _names(images)
        )
    if _is_running(labels, [path.stem for path in images]):
        raise _refused(folder, "the names differ in a running number only", _names(images))
    if devices:
        return [Problem(str(folder), f"names like those of a camera or scanner: {len(devices)} ({_shown(devices)})")]
    return []


def _is_running(labels: Sequence[str], stems: Sequence[str]) -> bool:
    """Whether nearly all labels are one text and a number, and the numbers are nearly all of n, n + 1, n + 2, ...

    Numbers of one width count, also where something follows them in the name, and those without leading zeros if they
    are the whole name. Numbers that are labels, as of captchas, repeat or leave larger gaps.
    """
    matches = [match for match in map(NUMBERED.fullmatch, labels) if match]
    if len(matches) < MIN_RUN:
        return False
    head = Counter(match[1] for match in matches).most_common(1)[0][0]
    digits = [match[2] for match in matches if match[1] == head]
    numbers = {int(each) for each in digits if len(each) <= 18}
    if len(numbers) < max(MIN_RUN, MIN_RUNNING * len(labels)) or len(numbers) < len(digits):
        return False
    one_width = len(set(map(len, digits))) == 1
    whole_names = not any(each[0] == "0" and len(each) > 1 for each in digits) and list(labels) == list(stems)
    return (one_width or whole_names) and len(numbers) >= MIN_RUNNING * (max(numbers) - min(numbers) + 1)


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
