"""What the commands share: how they end, their numbers and hyperparameters, their log."""

import argparse
import codecs
import errno
import io
import logging
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ctc_ocr.config.hyperparameters import options
from ctc_ocr.config.schema import MAX_SIZE, Integers, Option
from ctc_ocr.errors import InputError, RunError, UserError
from ctc_ocr.version import __version__

INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it
BROKEN_PIPE = 141  # 128 + SIGPIPE
CANNOT_WRITE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
MAX_THREADS = 1024
AS_IT_IS = "ctc_ocr.as_it_is"  # an error handler of codecs


def run(prog: str, body: Callable[[list[str]], int | None], argv: list[str] | None) -> int:
    """Run a command's body on argv (None: the process's own) and return the exit status.

    A UserError becomes one message on stderr, and so does what the system refuses; Ctrl-C becomes one line, a reader of
    stdout that went away nothing. The exit of argparse (status 2, or 0 after --help) passes through as SystemExit.
    """
    print_whatever_the_encoding()
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
        _give_up_stdout()
        return BROKEN_PIPE
    except OSError as error:  # a path that no part of the package has opened yet, or output that a full disk refuses
        _give_up_stdout()
        refusal = _refusal(error)
        print(f"{prog}: error: {refusal}", file=sys.stderr)
        return refusal.exit_status


def _refusal(error: OSError) -> UserError:
    """What the system refused, in words: a path is a bad argument, all else a run that failed."""
    path = error.filename
    if path is not None:
        return InputError(f"{os.fsdecode(path) if isinstance(path, bytes) else path}: {error.strerror}")
    said = error.strerror or str(error)
    # Files that the package writes are named in errors of its own: this was stdout.
    return RunError(f"the output cannot be written: {said}" if error.errno in CANNOT_WRITE else said)


def _give_up_stdout() -> None:
    """What is still buffered must not fail again when Python flushes at its end."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_whatever_the_encoding() -> None:
    """Let all text through: names of files that are not UTF-8 byte by byte, and what the terminal's encoding lacks as
    its number in Unicode."""
    codecs.register_error(AS_IT_IS, _as_it_is)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=AS_IT_IS)


def _as_it_is(error: UnicodeError) -> tuple[str | bytes, int]:
    """One character that cannot be encoded: a byte of a file's name, or another."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    start = error.start
    one = UnicodeEncodeError(error.encoding, error.object, start, start + 1, error.reason)
    is_byte = "\udc80" <= error.object[start] <= "\udcff"
    return codecs.lookup_error("surrogateescape" if is_byte else "backslashreplace")(one)


def refuse_inputs(flag: str, path: Path, inputs: Mapping[str, str | Path | None]) -> None:
    """Raises InputError where what a flag names for writing is among the {name: path} that the command reads."""
    for name, given in inputs.items():
        if given is not None and os.path.realpath(given) == os.path.realpath(path):
            raise InputError(f"{flag} {path} would replace {name}: take another name")


def add_version(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--version", action="version", version=f"ctc_ocr {__version__}")


def add_device_options(parser: argparse.ArgumentParser) -> None:
    """How a model is run: --batch_size, and --cpu or --gpu."""
    parser.add_argument(
        "--batch_size", type=integer(1, MAX_SIZE), help="images read at a time (default: fastest on one core)"
    )
    device = parser.add_mutually_exclusive_group()
    device.add_argument("--cpu", type=integer(1, MAX_THREADS), default=1, help="threads to use (default: 1)")
    device.add_argument("--gpu", type=int, choices=(0, 1), default=0, help="1: compute on a GPU (default: 0)")


def add_hyperparameters(parser: argparse._ActionsContainer, names: Iterable[str], suppress: bool = False) -> None:
    """A flag for each named hyperparameter, with its own type, default and help.

    With `suppress`, the parsed arguments hold only the flags that were given.
    """
    known = options()
    for name in names:
        option = known[name]
        parser.add_argument(
            f"--{name}",
            type=PARSERS.get(option.type, option.type),
            default=argparse.SUPPRESS if suppress else option.default,
            choices=option.rule.accepted or None,
            help=f"{option.rule.help}{_requires(option)} (default: {_shown(option.default)})",
        )


def _requires(option: Option) -> str:
    """ " (optimizer sgd only)" for one that has no effect with other optimizers."""
    needed = [f"{name} {' or '.join(map(_shown, values))}" for name, values in option.rule.requires.items()]
    return f" ({', '.join(needed)} only)" if needed else ""


def _shown(value: Any) -> str:
    """A value as it is written on the command line."""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def integers(text: str) -> tuple[int, ...]:
    """An argparse type: whole numbers with commas between them."""
    try:
        return tuple(int(each) for each in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not whole numbers with commas between them") from None


def boolean(text: str) -> bool:
    """An argparse type: true or false."""
    if text not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
    return text == "true"


def non_empty(text: str) -> str:
    """An argparse type: a name that is not empty, as that of a shell variable that is not set is."""
    if not text:
        raise argparse.ArgumentTypeError("expected a name, got nothing")
    return text


def fraction(text: str) -> float:
    """An argparse type: a number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return value


PARSERS: dict[Any, Callable[[str], Any]] = {Integers: integers, bool: boolean}  # others parse themselves


def integer(least: int, most: int = 2**64 - 1) -> Callable[[str], int]:
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
