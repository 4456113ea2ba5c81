"""Options of a training that do not exist: most are hyperparameters, or belong to the images."""

import functools
from collections.abc import Callable, Collection
from dataclasses import fields
from typing import Any, TypeVar

from ctc_ocr.config.hyperparameters import options
from ctc_ocr.errors import InputError
from ctc_ocr.runtime.suggestions import did_you_mean, like

Options = TypeVar("Options")


def names_checked(images: type) -> Callable[[type[Options]], type[Options]]:
    """A decorator of a dataclass of options: other names than its fields raise InputError in place of TypeError.
    `images`: the class that has the options of labelled images."""

    def decorate(kind: type[Options]) -> type[Options]:
        made, accepted = kind.__init__, _names(kind)

        @functools.wraps(made)
        def init(self: Options, *values: Any, **named: Any) -> None:
            for name, value in named.items():
                if name not in accepted:
                    raise _unknown(name, value, accepted, images)
            made(self, *values, **named)

        kind.__init__ = init  # type: ignore[assignment]
        return kind

    return decorate


def _unknown(name: str, value: object, accepted: Collection[str], images: type) -> InputError:
    if name in options():
        return InputError(f"is a hyperparameter: {_in_preset(name, value)} sets it", name)
    if name in _names(images):
        return InputError(f"belongs to the images: {images.__name__}(..., {name}={value!r}) sets it", name)
    meant = like(name, [*accepted, *options(), *_names(images)])
    meant = _in_preset(meant, value) if meant in options() else meant
    return InputError(f"no option has this name; accepted: {', '.join(accepted)}{did_you_mean(meant)}", name)


def _names(kind: Any) -> list[str]:
    return [each.name for each in fields(kind)]


def _in_preset(name: str, value: object) -> str:
    """How a hyperparameter is given from Python."""
    return f'preset("word", {options()[name].section}={{"{name}": {value!r}}})'
