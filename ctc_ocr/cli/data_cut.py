"""ctc-ocr data cut: pages with boxes into an image folder or a pack."""

import argparse

from ctc_ocr.cli.arguments import integer, non_empty
from ctc_ocr.cli.data_options import add_source, print_invalid, source_options
from ctc_ocr.datasets.labels_csv import LABELS_FILE
from ctc_ocr.datasets.packing import pack_source
from ctc_ocr.datasets.page_cutting import cut_pages
from ctc_ocr.datasets.sources.shards import MAX_SHARDS, PARTS
from ctc_ocr.errors import InputError
from ctc_ocr.runtime.progress import shown_progress

PROG = "ctc-ocr data cut"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_source(parser)
    parser.add_argument("out", type=non_empty, metavar="OUT", help=f"folder for BOOK/PAGE/BOX.png and {LABELS_FILE}")
    parser.add_argument(
        "--pack", action="store_true", help=f"write a pack in place of a folder: OUT{', OUT'.join(PARTS)}"
    )
    parser.add_argument(
        "--shards", type=integer(1, MAX_SHARDS), metavar="N", help="number of files of the pack (default: 1)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace what an earlier cut wrote to OUT")


def cut(arguments: argparse.Namespace) -> int:
    """The command; returns its exit status."""
    if arguments.shards and not arguments.pack:
        raise InputError("has no effect without --pack", "--shards")
    options = source_options(arguments)
    with shown_progress() as progress:
        if arguments.pack:
            pack = pack_source(
                arguments.source, arguments.out, options, overwrite=arguments.overwrite, shards=arguments.shards or 1,
                progress=progress,
            )  # fmt: skip
            invalid, shown = pack.invalid, f"Packed {pack.num_samples} images in {pack.path}"
        else:
            written = cut_pages(
                arguments.source, arguments.out, options, overwrite=arguments.overwrite, progress=progress
            )
            invalid, shown = written.invalid, f"Cut {written.num_samples} images; their labels are in {written.labels}"
    print_invalid(invalid, PROG)
    print(shown)
    return 0
