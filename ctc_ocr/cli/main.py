"""ctc-ocr: the command whose subcommands do everything."""

import importlib
import sys

from ctc_ocr.version import __version__

COMMANDS = {
    "train": "train a network on generated captchas or on labelled images",
    "infer": "read images with a model",
    "generate": "write captchas with their labels",
    "data": "check, split, pack and preview labelled images",
    "evaluate": "measure a model on labelled images",
    "bundle": "write a model into one file",
    "info": "show versions, MXNet's features, GPUs, and what is missing",
}


def main(argv: list[str] | None = None) -> int:
    """Run a subcommand; returns its exit status."""
    arguments = sys.argv[1:] if argv is None else argv
    name = arguments[0] if arguments else ""
    if name in COMMANDS:
        # Imported late: each command needs other libraries.
        status: int = importlib.import_module(f"ctc_ocr.cli.{name}").main(arguments[1:])
        return status
    if name == "--version":
        print(f"ctc_ocr {__version__}")
        return 0
    asked = name in ("-h", "--help")
    print(_usage(), file=sys.stdout if asked else sys.stderr)
    if name and not asked:
        print(f"ctc-ocr: error: no command {name!r}; expected one of {', '.join(COMMANDS)}", file=sys.stderr)
    return 0 if asked else 2


def _usage() -> str:
    lines = [f"  {name:<10}{text}" for name, text in COMMANDS.items()]
    return "\n".join(["usage: ctc-ocr COMMAND [--help] ...", "", *lines])
