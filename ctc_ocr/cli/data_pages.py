"""ctc-ocr data pages: pictures of pages with boxes."""

import argparse
from pathlib import Path

from ctc_ocr.cli.arguments import non_empty
from ctc_ocr.cli.data_options import add_source, print_invalid, source_options
from ctc_ocr.datasets.page_pictures import FREQUENCIES, GRID, INDEX, write_page_pictures
from ctc_ocr.runtime.progress import shown_progress

PROG = "ctc-ocr data pages"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_source(parser)
    parser.add_argument(
        "out", type=non_empty, metavar="OUT", help=f"folder for BOOK-PAGE.png, {GRID} and {FREQUENCIES}"
    )
    parser.add_argument("--page", action="append", default=[], metavar="NAME", help="this page only; may be repeated")
    parser.add_argument("--html", action="store_true", help=f"also write {INDEX}, which shows all pictures")
    parser.add_argument("--font", metavar="FILE", help="font of the glyphs (default: an installed one that has them)")
    parser.add_argument("--overwrite", action="store_true", help="replace what an earlier call wrote to OUT")


def pages(arguments: argparse.Namespace) -> int:
    """The command; returns its exit status."""
    with shown_progress("page") as progress:
        written = write_page_pictures(
            arguments.source, arguments.out, source_options(arguments), pages=arguments.page, font=arguments.font,
            as_html=arguments.html, overwrite=arguments.overwrite, progress=progress,
        )  # fmt: skip
    print_invalid(written.invalid, PROG)
    character, share = written.majority
    print(f"Wrote {len(written.files)} files to {Path(arguments.out)}; glyphs of {written.font}")
    print(
        f"{written.counts.total()} characters of {len(written.counts)} kinds; most frequent: {character}, {share:.2%}"
    )
    return 0
