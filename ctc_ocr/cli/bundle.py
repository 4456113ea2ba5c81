"""ctc-ocr bundle: write a model into one file."""

import argparse
from pathlib import Path

from ctc_ocr.cli.arguments import Parser, add_import, add_version
from ctc_ocr.cli.model_options import DEFAULT_MODEL, add_model, find_model, refuse_model
from ctc_ocr.cli.running import run
from ctc_ocr.runtime.threads import set_threads

PROG = "ctc-ocr bundle"


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit status."""
    return run(PROG, _bundle, argv, parser)


def parser() -> argparse.ArgumentParser:
    made = Parser(prog=PROG, description="Write one epoch of a model into one file, with all that reading needs.")
    made.add_argument("out", type=Path, metavar="OUT.zip", help="the file to write")
    add_model(made)
    made.add_argument("--overwrite", action="store_true", help="replace OUT.zip if it exists")
    add_import(made)
    add_version(made)
    return made


def _bundle(argv: list[str]) -> None:
    arguments = parser().parse_args(argv)
    refuse_model(arguments.out, "OUT.zip")
    set_threads(1)
    # MXNet reads the number of threads when it is imported, so not above.
    from ctc_ocr.checkpoint.bundling import bundle_model

    arguments.model = arguments.model or DEFAULT_MODEL  # the starter need not be bundled
    model, epoch = find_model(arguments, PROG)
    bundle_model(model, arguments.out, epoch, arguments.overwrite)
    print(f"{arguments.out}: epoch {epoch}, {arguments.out.stat().st_size:,} bytes")
