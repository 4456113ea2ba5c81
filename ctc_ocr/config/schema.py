"""Fields of hyperparameters with their help and accepted values, and their way from and to JSON."""

import functools
import math
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from numbers import Integral, Real
from typing import Any

from ctc_ocr.errors import InputError, refuse_single

Integers = tuple[int, ...]
Strings = tuple[str, ...]
LISTS = {Integers: int, Strings: str}
MAX_SHOWN = 100  # characters of a value in an error
MAX_ENTRIES = 100  # of a list
MAX_SIZE = 10_000  # far beyond what is of use, and small enough for an error instead of a full memory


@dataclass(frozen=True)
class Rule:
    """What a hyperparameter accepts, and what it is for.

    `choices`: the accepted values, or a function that gives them; empty for any. With `is_checked` False, other values
    are an error only where the value is used. `requires`: the values that other hyperparameters must have for this one
    to have an effect.
    """

    help: str
    choices: tuple[Any, ...] | Callable[[], tuple[Any, ...]] = ()
    minimum: float = -math.inf
    maximum: float = math.inf
    requires: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    is_checked: bool = True

    @property
    def accepted(self) -> tuple[Any, ...]:
        return self.choices() if callable(self.choices) else self.choices

    def check(self, name: str, value: Any) -> None:
        """Raises InputError with `name` as its place for a value that is not accepted."""
        accepted = self.accepted if self.is_checked else ()
        if accepted and value not in accepted:
            raise InputError(f"{_shown(value)} is not one of {', '.join(map(str, accepted))}", name)
        if isinstance(value, tuple) and len(value) > MAX_ENTRIES:
            raise InputError(f"{len(value)} entries; the maximum is {MAX_ENTRIES}", name)
        for number in value if isinstance(value, tuple) else [value]:
            if isinstance(number, str):
                continue
            if isinstance(number, float) and not math.isfinite(number):
                raise InputError(f"{number!r} is not a finite number", name)
            if number < self.minimum:
                raise InputError(f"{_shown(number)} is less than {self.minimum}", name)
            if number > self.maximum:
                raise InputError(f"{_shown(number)} is more than {self.maximum}", name)


def option(default: Any, help: str, **rule: Any) -> Any:
    """A field of a section: its default, and the rest of its Rule."""
    return field(default=default, metadata={"rule": Rule(help, **rule)})


@dataclass(frozen=True)
class Option:
    """One hyperparameter: its section and name, type, default, and rule."""

    section: str
    name: str
    type: Any
    default: Any
    rule: Rule


def options_of(sections: Mapping[str, type]) -> dict[str, Option]:
    """Every hyperparameter of {section name: dataclass} by its name; names are unique over the sections."""
    found: dict[str, Option] = {}
    for section, kind in sections.items():
        hints = _hints_of(kind)
        for each in fields(kind):
            assert each.name not in found, f"{each.name} is in two sections"
            found[each.name] = Option(section, each.name, hints[each.name], each.default, each.metadata["rule"])
    return found


@functools.cache
def _hints_of(kind: type) -> dict[str, Any]:
    """{field: type} of a section; each hyperparameter that is made is checked by it."""
    return typing.get_type_hints(kind)


def check_section(name: str, section: Any) -> None:
    """Raises InputError for the first value of a section that has another type than its field, or that its rule does
    not accept."""
    hints = _hints_of(section.__class__)
    for each in fields(section):
        value = getattr(section, each.name)
        if isinstance(each.default, tuple):
            refuse_single(value, f"{name}.{each.name}")
        _typed(f"{name}.{each.name}", hints[each.name], value)
        each.metadata["rule"].check(f"{name}.{each.name}", value)


def section_from_dict(name: str, kind: Any, values: Any) -> Any:
    """A section of {name: value}; others keep their defaults. InputError for unknown names and wrong types."""
    refuse_unknown(values, [each.name for each in fields(kind)], "key", name)
    hints = _hints_of(kind)
    return kind(**{key: _typed(f"{name}.{key}", hints[key], value) for key, value in values.items()})


def refuse_unknown(values: Any, accepted: list[str], what: str, where: str = "") -> None:
    """Raises InputError if `values` is no mapping, or has a key that is not accepted."""
    if not isinstance(values, Mapping):
        raise InputError(f"expected an object, got {_shown(values)}", where)
    for key in values:
        if key not in accepted:
            raise InputError(f"unknown {what} {_shown(key)}; accepted: {', '.join(accepted)}", where)


def _typed(name: str, kind: Any, value: Any) -> Any:
    """The value in its declared type: an int serves as a float, a number of NumPy as Python's, and nothing else is
    converted."""
    if isinstance(value, Integral) and not isinstance(value, int):
        value = int(value)
    elif isinstance(value, Real) and not isinstance(value, (int, float)):
        value = float(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise InputError(f"a number of {len(str(value))} digits is too large", name) from None
    if kind in LISTS and isinstance(value, (list, tuple)):
        return tuple(_typed(name, LISTS[kind], each) for each in value)
    if kind in LISTS or isinstance(value, bool) is not (kind is bool) or not isinstance(value, kind):
        expected = f"a list of {LISTS[kind].__name__}" if kind in LISTS else kind.__name__
        raise InputError(f"expected {expected}, got {_shown(value)}", name)
    return value


def _shown(value: Any) -> str:
    """A value in an error: of a file from outside, it may have any length."""
    text = repr(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."
