"""What the commands share: how they end, their numbers and hyperparameters, their log."""

import argparse
import logging
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import Field
from typing import Any

from ctc_ocr.errors import UserError
from ctc_ocr.hyperparameters import Numbers, options
from ctc_ocr.version import __version__

INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it
BROKEN_PIPE = 141  # 128 + SIGPIPE


def run(prog: str, body: Callable[[list[str]], int | None], argv: list[str] | None) -> int:
    """Run a command's body on argv (None: the process's own) and return the exit status.

    A UserError becomes one message on stderr, Ctrl-C one line, a reader of stdout that went away nothing. The exit
    of argparse (status 2, or 0 after --help) passes through as SystemExit.
    """
    try:
        status = body(sys.argv[1:] if argv is None else argv) or 0
        if sys.stdout is not None:  # as after `>&-`
            sys.stdout.flush()
        return status
    except UserError as error:
        print(f"{prog}: error: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print(f"{prog}: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # What is still buffered must not fail again when Python flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE


def add_version(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--version", action="version", version=f"ctc_ocr {__version__}")


def add_hyperparameters(parser: argparse._ActionsContainer, names: Iterable[str], suppress: bool = False) -> None:
    """A flag for each named hyperparameter, with its own type, default and help.

    With `suppress`, the parsed arguments hold only the flags that were given.
    """
    known = options()
    for name in names:
        _, field, kind = known[name]
        default: Any = field.default
        parser.add_argument(
            f"--{name}",
            type=PARSERS.get(kind, kind),
            default=argparse.SUPPRESS if suppress else default,
            choices=field.metadata["choices"] or None,
            help=f"{field.metadata['help']}{_only(field)} (default: {_shown(default)})",
        )


def _only(field: Field[Any]) -> str:
    """ " (optimizer sgd only)" for one that means nothing with other optimizers."""
    told = [f"{name} {' or '.join(_shown(each) for each in values)}" for name, values in field.metadata["only"].items()]
    return f" ({', '.join(told)} only)" if told else ""


def _shown(value: Any) -> str:
    """A value as it is written on the command line."""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def numbers(text: str) -> tuple[int, ...]:
    """An argparse type: whole numbers with commas between them."""
    try:
        return tuple(int(each) for each in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not whole numbers with commas between them") from None


def truth(text: str) -> bool:
    """An argparse type: true or false."""
    if text not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
    return text == "true"


def nonempty(text: str) -> str:
    """An argparse type: a name that is not empty, as that of a shell variable that is not set is."""
    if not text:
        raise argparse.ArgumentTypeError("expected a name, got nothing")
    return text


def share(text: str) -> float:
    """An argparse type: a number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return value


PARSERS: dict[Any, Callable[[str], Any]] = {Numbers: numbers, bool: truth}  # others parse themselves


def at_least(least: int, most: int = 2**64 - 1) -> Callable[[str], int]:
    """An argparse type: whole numbers from `least` to `most`."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
        if value < least:
            raise argparse.ArgumentTypeError(f"{value} is less than {least}")
        if value > most:
            raise argparse.ArgumentTypeError(f"{value} is more than {most}")
        return value

    return parse


def set_up_logging(level: int = logging.INFO) -> None:
    """Log lines of ctc_ocr on stderr, with the time of day and milliseconds: `05:58:36,128 text`."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s,%(msecs)03d %(message)s", datefmt="%H:%M:%S"))
    logger = logging.getLogger("ctc_ocr")
    logger.handlers[:] = [handler]
    logger.setLevel(level)
    logger.propagate = False
