"""ctc-ocr: the command whose subcommands do everything."""

import importlib
import sys

from ctc_ocr.cli.commands import listed, unknown
from ctc_ocr.version import __version__

PROG = "ctc-ocr"
COMMANDS = {
    "train": "train a network on generated captchas or on labelled images",
    "infer": "read images with a model",
    "generate": "write captchas with their labels",
    "data": "check, split, preview and correct labelled images; how many are needed",
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
    if name in ("-h", "--help"):
        print(listed(PROG, COMMANDS))
        return 0
    print(unknown(PROG, name, COMMANDS) if name else listed(PROG, COMMANDS), file=sys.stderr)
    return 2
