"""ctc-ocr: the command whose subcommands do everything."""

import importlib
import sys
from types import ModuleType

from ctc_ocr.cli.commands import listed, unknown
from ctc_ocr.version import __version__

PROG = "ctc-ocr"
INTERRUPTED = 130  # by SIGINT, as a shell reports it
COMMANDS = {
    "train": "train a network on generated captchas or on labelled images",
    "infer": "read images with a model",
    "generate": "write captchas with their labels",
    "data": "check, split, preview and correct labelled images; say how many are needed",
    "evaluate": "measure a model on labelled images",
    "interpret": "show what a model gets wrong, and what its predictions rest on",
    "lr-find": "find a learning rate for a network and its images",
    "bundle": "write a model into one file",
    "export": "write a model as an ONNX file, which needs no MXNet",
    "serve": "read images that are sent over HTTP",
    "info": "show versions, MXNet's features, GPUs, and what is missing",
}


def module_of(command: str) -> ModuleType:
    """The module of one of COMMANDS, imported when it is needed: each needs other libraries."""
    return importlib.import_module(f"ctc_ocr.cli.{command.replace('-', '_')}")


def main(argv: list[str] | None = None) -> int:
    """Run a subcommand; returns its exit status."""
    arguments = sys.argv[1:] if argv is None else argv
    name = arguments[0] if arguments else ""
    name = name.replace("_", "-") if name.replace("_", "-") in COMMANDS else name
    if name in COMMANDS:
        try:
            status: int = module_of(name).main(arguments[1:])
        except KeyboardInterrupt:  # while the command was imported
            print(f"{PROG} {name}: interrupted", file=sys.stderr)
            status = INTERRUPTED
        return status
    if name == "--version":
        print(f"ctc_ocr {__version__}")
        return 0
    if name in ("-h", "--help"):
        print(listed(PROG, COMMANDS))
        return 0
    print(unknown(PROG, name, COMMANDS) if name else listed(PROG, COMMANDS), file=sys.stderr)
    return 2
