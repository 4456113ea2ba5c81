"""Sources of users: a registered function opens NAME:ARGUMENT."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ctc_ocr.datasets.samples import Problem, Rows, Sample, SourceOptions
from ctc_ocr.errors import InputError, UserError
from ctc_ocr.registry import Registry

OpenSource = Callable[[str, SourceOptions], Rows | Iterable[Sample | Problem]]

SOURCES: Registry[OpenSource] = Registry("source")


def register_source(name: str) -> Callable[[OpenSource], OpenSource]:
    """A decorator that registers a function (argument, options) -> rows, which opens the source NAME:ARGUMENT.

    The rows are Samples and Problems: a list, a generator, or Rows, which need not be in memory at once. Errors do not
    list a name that begins with an underscore. Raises InputError for a name of one letter, which could be a drive of
    Windows.
    """
    if isinstance(name, str) and len(name) == 1:
        raise InputError(f"{name!r} cannot name a source: expected two letters or more")
    return SOURCES.register(name)


def split_name(source: str) -> tuple[str, str] | None:
    """(NAME, ARGUMENT) of what may be a registered source; None for a path that exists or has no NAME."""
    name, colon, argument = source.partition(":")
    if not colon or len(name) == 1 or not name.isidentifier() or Path(source).exists():
        return None
    return name, argument


def open_registered(name: str, argument: str, options: SourceOptions) -> Rows:
    """The rows of a registered source. Raises InputError if there is none of this name."""
    source = f"{name}:{argument}"
    if name not in SOURCES:
        names = ", ".join(each for each in SOURCES.names() if not each.startswith("_")) or "none"
        raise InputError(f"no such file, nor a registered source {name!r}; registered: {names} (see --import)", source)
    try:
        rows = SOURCES.get(name)(argument, options)
    except UserError as error:
        raise error.within(source) from None
    if isinstance(rows, Rows):
        return replace(rows, read=lambda: (_checked(row, source) for row in rows))
    if not isinstance(rows, Iterable):  # such as None, of a function without `return`
        raise InputError(f"a source must give Sample and Problem objects, got {type(rows).__name__}", source)
    found: Sequence[Sample | Problem] = rows if isinstance(rows, Sequence) else list(_iterate(rows, source))
    return Rows(f"the source {source}", len(found), lambda: (_checked(row, source) for row in found))


def _iterate(rows: Iterable[Sample | Problem], source: str) -> Iterator[Sample | Problem]:
    try:
        yield from rows
    except UserError as error:
        raise error.within(source) from None


def _checked(row: object, source: str) -> Sample | Problem:
    if not isinstance(row, Sample | Problem):
        raise InputError(f"a source must give Sample and Problem objects, got {type(row).__name__}", source)
    if isinstance(row, Sample) and not isinstance(row.units, tuple):
        raise InputError(f"the units of a sample must be a tuple of str, got {row.units!r}", row.where)
    return row
