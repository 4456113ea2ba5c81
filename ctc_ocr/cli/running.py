"""How every command starts and ends: its arguments, its errors, its log."""

import argparse
import codecs
import errno
import io
import logging
import os
import re
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path

from ctc_ocr.errors import InputError, RunError, UserError, printable
from ctc_ocr.registry import import_module
from ctc_ocr.runtime.signals import Terminated, sigterm_raises

BY_SIGNAL = 128  # added to the number of a signal, as a shell reports it
INTERRUPTED = 130  # by SIGINT
BROKEN_PIPE = 141  # 128 + SIGPIPE
CANNOT_WRITE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
ENCODE_ERRORS = "ctc_ocr.encode_errors"  # an error handler of codecs
IMPORT = "--import"
FIELD = re.compile(r"(?:hyperparameters: )?(?:(?:data|network|training|augmentation)\.)?(?P<name>\w+)(?=$|:| )")


def run(
    prog: str,
    body: Callable[[list[str]], int | None],
    argv: list[str] | None,
    make_parser: Callable[[], argparse.ArgumentParser] | None = None,
) -> int:
    """Run a command's body on argv (None: the process's own) and return the exit status.

    A UserError or an OSError becomes one message on stderr, Ctrl-C and SIGTERM one line; a closed pipe at stdout ends
    the command silently. With `make_parser`, an error about a field names its flag. The exit of argparse (status 2, or
    0 after --help) passes through as SystemExit.
    """
    tolerate_any_text()
    arguments = with_underscores(sys.argv[1:] if argv is None else argv)
    try:
        with sigterm_raises():
            import_named_modules(arguments)
            status = body(arguments) or 0
        if sys.stdout is not None:  # as after `>&-`
            sys.stdout.flush()
        return status
    except UserError as error:
        if make_parser:
            error = type(error)(error.reason, _as_flag(error.where, make_parser(), arguments))
        print(f"{prog}: error: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt as interrupt:
        print(f"{prog}: interrupted", file=sys.stderr)
        return BY_SIGNAL + signal.SIGTERM if isinstance(interrupt, Terminated) else INTERRUPTED
    except BrokenPipeError:
        _discard_stdout()
        return BROKEN_PIPE
    except OSError as error:  # a path that no part of the package has opened yet, or output to a full disk
        _discard_stdout()
        explained = _explain(error)
        print(f"{prog}: error: {explained}", file=sys.stderr)
        return explained.exit_status


def with_underscores(argv: list[str]) -> list[str]:
    """--batch-size works as --batch_size does."""
    changed, names_end = [], False
    for argument in argv:
        names_end = names_end or argument == "--"
        if argument.startswith("--") and not names_end:
            name, equals, value = argument[2:].partition("=")
            argument = f"--{name.replace('-', '_')}{equals}{value}"
        changed.append(argument)
    return changed


def import_named_modules(argv: list[str]) -> None:
    """Import the modules of --import before the parser is built, whose choices include what they register."""
    for number, argument in enumerate(argv):
        name, equals, value = argument.partition("=")
        if len(name) > 3 and IMPORT.startswith(name):  # argparse accepts abbreviations
            given = [value] if equals else argv[number + 1 : number + 2]
            for module in given:
                _import(module)


def _import(module: str) -> None:
    """Raises InputError for a module that cannot be imported, with the place of its mistake."""
    try:
        import_module(module)
    except UserError:
        raise
    except SyntaxError as error:
        raise InputError(f"line {error.lineno}: {error.msg}", f"{IMPORT} {module}") from None
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(frame.filename).name}, line {frame.lineno}"
        raise InputError(f"{type(error).__name__}: {error} ({place})", f"{IMPORT} {module}") from None


def _as_flag(where: str, parser: argparse.ArgumentParser, argv: list[str]) -> str:
    """A place that begins with a field, as in `max_invalid` or `hyperparameters: data.width`, with its flag instead.

    What was typed on the command line, such as a path, is not taken for a field.
    """
    match = FIELD.match(where)
    if not match or match["name"] in argv:
        return where
    flags = {each.dest: each.option_strings[0] for each in reversed(parser._actions) if each.option_strings}
    name = flags.get(match["name"])
    return name + where[match.end() :] if name else where


def _explain(error: OSError) -> UserError:
    """A path is a bad argument, anything else a failed run."""
    path, reason = error.filename, error.strerror or str(error)
    if path is not None:
        return InputError(reason, os.fsdecode(path) if isinstance(path, bytes) else path)
    # Files that the package writes are named in errors of its own: this was stdout.
    return RunError(f"the output cannot be written: {reason}" if error.errno in CANNOT_WRITE else reason)


def _discard_stdout() -> None:
    """What is still buffered must not fail again when Python flushes at exit."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def tolerate_any_text() -> None:
    """Let all text be printed: file names that are not UTF-8 as their bytes, and characters that the terminal's
    encoding lacks as escapes."""
    codecs.register_error(ENCODE_ERRORS, _encode_one)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=ENCODE_ERRORS)


def _encode_one(error: UnicodeError) -> tuple[str | bytes, int]:
    """One character that cannot be encoded: a byte of a file name, or another."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    start = error.start
    one = UnicodeEncodeError(error.encoding, error.object, start, start + 1, error.reason)
    is_byte = "\udc80" <= error.object[start] <= "\udcff"
    return codecs.lookup_error("surrogateescape" if is_byte else "backslashreplace")(one)


def refuse_inputs(flag: str, path: Path, inputs: Mapping[str, str | Path | None]) -> None:
    """Raises InputError if the output that a flag names is among the {name: path} that the command reads, or has the
    labels of a folder among them."""
    from ctc_ocr.datasets.sources.layouts import is_read_by  # with OpenCV, which not every command needs

    for name, given in inputs.items():
        if given is not None and is_read_by(given, path):
            raise InputError(f"would replace {name}: use another name", f"{flag} {path}")


def inputs_of(arguments: argparse.Namespace) -> dict[str, str | Path]:
    """{name: path} of labelled images and of settings that a command reads, for refuse_inputs."""
    found = dict[str, str | Path]()
    for name in ("source", "data", "validation", "config"):
        given = getattr(arguments, name, None) or ()
        for path in [given] if isinstance(given, (str, Path)) else given:
            found[f"{'SOURCE' if name == 'source' else f'--{name}'} {path}"] = path
    return found


class _Printable(logging.Formatter):
    """Without control characters, which a model's alphabet or a label may have."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record), "\n\t")


def set_up_logging(level: int = logging.INFO) -> None:
    """Log lines of ctc_ocr on stderr, with the time of day and milliseconds: `05:58:36,128 text`."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Printable("%(asctime)s %(message)s", datefmt="%H:%M:%S"))
    logger = logging.getLogger("ctc_ocr")
    logger.handlers[:] = [handler]
    logger.setLevel(level)
    logger.propagate = False
