"""Errors meant for the person at the terminal: shown as one message, without a traceback."""

import re
from collections.abc import Callable, Collection, Iterable
from numbers import Integral, Real
from os import PathLike
from typing import TypeVar

Error = TypeVar("Error", bound="UserError")
Item = TypeVar("Item")
# What a field or an argument may be, as an error calls it.
KINDS: dict[str, tuple[type, ...]] = {
    "an integer": (Integral,),
    "a number": (Real,),
    "a text": (str,),
    "a path": (str, PathLike),
    "a path or a list of paths": (str, PathLike, Collection),
    "True or False": (bool,),
    "a name, a number from 1": (str, Integral),
    "a list of numbers": (Collection,),
    "a text or a list of units": (Collection,),
    "words or a path": (Collection, PathLike),
    "a list": (Iterable,),
    "a function": (Callable,),  # type: ignore[dict-item]  # it is a type for isinstance
}
# Control characters and the two ends of lines of Unicode: terminals obey some of them.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def printable(text: str, kept: str = "") -> str:
    """A text that may come from a file, for a terminal: its control characters, but those in `kept`, as escapes."""
    return _CONTROLS.sub(lambda found: found[0] if found[0] in kept else ascii(found[0])[1:-1], text)


class UserError(Exception):
    """What was wrong and what is accepted (`reason`), and in which file, row or argument (`where`, "" for none).

    `exit_status` is what a command ends with.
    """

    exit_status = 1

    def __init__(self, reason: str, where: "str | PathLike[str]" = "") -> None:
        self.reason = str(reason)
        self.where = str(where)
        super().__init__(self.reason, self.where)

    def __str__(self) -> str:
        reason = printable(self.reason, "\n")  # some have several lines
        return f"{printable(self.where)}: {reason}" if self.where else reason

    def within(self: Error, where: "str | PathLike[str]") -> Error:
        """The same error with the place that encloses it: a file around a row, a row around a field."""
        return type(self)(self.reason, f"{where}: {self.where}" if self.where else where)


class InputError(UserError):
    """Bad arguments, a bad file from outside, or a missing extra (exit status 2)."""

    exit_status = 2


class RunError(UserError):
    """A run that failed while it worked (exit status 1)."""

    exit_status = 1


def refuse_single(value: object, where: str) -> None:
    """Raises InputError for a text or a path where a list of them is expected: the characters of a text would be taken
    for its entries."""
    if isinstance(value, str | PathLike):
        raise InputError(f"expected a list, such as [{value!r}], got {value!r}", where)


def refuse_other(given: object, kind: str, names: Collection[str], or_none: bool = False) -> None:
    """Raises InputError for the first of these fields whose value is not of this kind (see KINDS)."""
    check_kind(kind, or_none, **{name: getattr(given, name) for name in names})


def check_kind(kind: str | type, or_none: bool = False, **arguments: object) -> None:
    """Raises InputError for the first of these arguments that is not of this kind (see KINDS) or class."""
    accepted = (kind if isinstance(kind, str) else kind.__name__) + (" or None" if or_none else "")
    classes = KINDS[kind] if isinstance(kind, str) else kind
    for name, value in arguments.items():
        if not isinstance(value, classes) and not (or_none and value is None):
            raise InputError(f"expected {accepted}; got {value!r}", name)


def list_of(kind: type[Item], values: Iterable[Item], where: str) -> list[Item]:
    """The values of an argument. Raises InputError if it is no list, or for the first value of another class."""
    check_kind("a list", or_none=False, **{where: values})
    found = list(values)
    for value in found:
        if not isinstance(value, kind):
            raise InputError(f"expected a list of {kind.__name__}; got {value!r} in it", where)
    return found
