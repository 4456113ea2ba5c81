"""Flags that several commands have, types of arguments, and a flag for each hyperparameter."""

import argparse
import os
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from ctc_ocr.cli.suggestions import flag_like, see_help
from ctc_ocr.config.hyperparameters import RENAMED, options
from ctc_ocr.config.schema import MAX_SIZE, Integers, Option, Strings
from ctc_ocr.runtime.suggestions import did_you_mean, like
from ctc_ocr.version import __version__

MAX_THREADS = 1024
MAX_PROCESSES = 1024
MAX_UPDATES = 100_000
UNKNOWN = "unrecognized arguments: "  # how a message of argparse begins
REGISTERED = ("architecture", "renderer", "task")  # whose choices --import can add to
OLD_NAMES = {new: old for names in RENAMED.values() for old, new in names.items()}


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, with what was probably meant; --help shows the usage."""

    def error(self, message: str) -> NoReturn:
        message = message.removeprefix("argument ")
        unknown = message.removeprefix(UNKNOWN) if message.startswith(UNKNOWN) else ""
        meant = [self._meant(each) for each in unknown.split() if each.startswith("-")]
        message += did_you_mean(" ".join(filter(None, meant)))
        self.exit(2, f"{self.prog}: error: {message}{see_help(message, self.prog)}\n")

    def shown_flags(self) -> dict[str, argparse.Action]:
        """The flags that --help shows, with their hyphens."""
        return {flag: each for flag, each in self._option_string_actions.items() if each.help != argparse.SUPPRESS}

    def _meant(self, flag: str) -> str:
        """What an unknown flag stands for: a file of this name, a flag, or an argument that has none; "" if nothing is
        near."""
        if os.path.exists(flag):  # noqa: PTH110 - of a long name, Path makes an error
            return f"./{flag}"
        if near := flag_like(flag, self.shown_flags()):
            return near
        name, _, _ = flag.partition("=")
        argument = name.removeprefix("--").upper()
        named = [str(each.metavar or each.dest).upper() for each in self._get_positional_actions()]
        return f"{argument} without {name}" if argument in named else ""

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """As argparse does it, with the same words in every version of Python."""
        if action.choices is None or value in action.choices:
            return
        choices = list(map(str, action.choices))
        own = ". One of your own is registered by the module that --import names" if action.dest in REGISTERED else ""
        reason = f"invalid choice: {value!r}; accepted: {', '.join(choices)}{own}"
        raise argparse.ArgumentError(action, reason + did_you_mean(like(str(value), choices)))


def add_version(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--version", action="version", version=f"ctc_ocr {__version__}")


def add_import(parser: argparse.ArgumentParser) -> None:
    """--import, which `run` has already obeyed."""
    parser.add_argument(
        "--import", action="append", dest="imported", default=[], metavar="MODULE",
        help="import a module or .py file that registers your own parts; may be repeated",
    )  # fmt: skip


def add_device_options(parser: argparse.ArgumentParser) -> None:
    """How a model is run by several processes: --num_proc, and what `add_device` adds."""
    add_device(parser)
    parser.add_argument(
        "--num_proc", type=integer(1, MAX_PROCESSES), metavar="N",
        help="reading processes; 1: the command itself (default: as many as there are cores, fewer for few images)",
    )  # fmt: skip


def add_device(parser: argparse.ArgumentParser) -> None:
    """How a model is run: --batch_size, and --cpu or --gpu."""
    parser.add_argument(
        "--batch_size", type=integer(1, MAX_SIZE), help="images per batch (default: fastest on one core)"
    )
    device = parser.add_mutually_exclusive_group()
    device.add_argument(
        "--cpu", type=integer(1, MAX_THREADS), default=1, help="number of threads of each process (default: 1)"
    )
    device.add_argument("--gpu", type=int, choices=(0, 1), default=0, help="1: compute on a GPU (default: 0)")
    device.add_argument(
        "--gpu_ids", type=integers, default=(), metavar="NUMBER", help="compute on the GPU of this number"
    )


def add_hyperparameters(parser: argparse._ActionsContainer, names: Iterable[str], suppress: bool = False) -> None:
    """A flag for each named hyperparameter, with its own type, default and help.

    With `suppress`, the parsed arguments contain only the flags that were given. Names of version 0.1 work, hidden.
    """
    known = options()
    for name in names:
        option = known[name]
        kind = PARSERS.get(option.type, option.type)
        default = argparse.SUPPRESS if suppress else option.default
        choices = option.rule.accepted or None
        text = f"{option.rule.help}{_requires(option)} (default: {_shown(option.default)})"
        parser.add_argument(f"--{name}", type=kind, default=default, choices=choices, help=text)
        if name in OLD_NAMES:
            parser.add_argument(
                f"--{OLD_NAMES[name]}", type=kind, default=argparse.SUPPRESS, choices=choices, dest=name,
                help=argparse.SUPPRESS,
            )  # fmt: skip


def _requires(option: Option) -> str:
    """Such as " (optimizer sgd only)", for one that has no effect with other optimizers."""
    needed = []
    for name, values in option.rule.requires.items():
        own = ("your own",) if name == "architecture" and {"crnn", "cnn"} & {*values} else ()
        needed.append(f"{name} {' or '.join([*map(_shown, values), *own])}")
    return f" ({', '.join(needed)} only)" if needed else ""


def _shown(value: Any) -> str:
    """A value as it is written on the command line."""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) or "none" if isinstance(value, tuple) else str(value)


def integers(text: str) -> tuple[int, ...]:
    """An argparse type: integers separated by commas."""
    try:
        return tuple(int(each) for each in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected integers separated by commas, got {text!r}") from None


def integers_or_none(text: str) -> tuple[int, ...]:
    """An argparse type: integers separated by commas, or "none" for an empty list."""
    return () if text == "none" else integers(text)


def names(text: str) -> tuple[str, ...]:
    """An argparse type: names separated by commas, or "none" for an empty list."""
    found = tuple(each.strip() for each in text.split(","))
    if not all(found):
        raise argparse.ArgumentTypeError(f"expected names separated by commas, got {text!r}")
    return () if found == ("none",) else found


def boolean(text: str) -> bool:
    """An argparse type: true or false."""
    if text not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"expected true or false, got {text!r}")
    return text == "true"


def non_empty(text: str) -> str:
    """An argparse type: a name; an empty one is usually a shell variable that is not set."""
    if not text:
        raise argparse.ArgumentTypeError("expected a name, got an empty one")
    return text


def fraction(text: str) -> float:
    """An argparse type: a number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 1, got {text!r}")
    return value


def number(text: str) -> float:
    """An argparse type: a number."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number, got {text!r}") from None


def integer(minimum: int, maximum: int = 2**64 - 1) -> Callable[[str], int]:
    """An argparse type: integers from `minimum` to `maximum`."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"expected an integer, got {text!r}") from None
        if value < minimum:
            raise argparse.ArgumentTypeError(f"{value} is less than {minimum}")
        if value > maximum:
            raise argparse.ArgumentTypeError(f"{value} is more than {maximum}")
        return value

    return parse


def any_integer(text: str) -> int:
    """An argparse type: an integer, whose range is checked later."""
    return integer(-(2**64))(text)


# Types of hyperparameters; others are their own.
PARSERS: dict[Any, Callable[[str], Any]] = {
    Integers: integers_or_none, Strings: names, bool: boolean, int: any_integer, float: number,
}  # fmt: skip
