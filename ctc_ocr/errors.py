"""Errors meant for the person at the terminal: shown as one message, without a traceback."""

import re
from collections.abc import Collection
from numbers import Integral, Real
from os import PathLike
from typing import TypeVar

Error = TypeVar("Error", bound="UserError")
# What a field may have, as an error calls it.
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
    accepted = f"{kind} or None" if or_none else kind
    for name in names:
        value = getattr(given, name)
        if not isinstance(value, KINDS[kind]) and not (or_none and value is None):
            raise InputError(f"expected {accepted}; got {value!r}", name)
