"""ctc-ocr export: write a model as an ONNX file, which reads without MXNet."""

import argparse
from pathlib import Path

from ctc_ocr.cli.arguments import Parser, add_import, add_version
from ctc_ocr.cli.model_options import MODEL_HELP, add_epoch
from ctc_ocr.cli.running import run
from ctc_ocr.images.folders import find_images
from ctc_ocr.runtime.threads import set_threads

PROG = "ctc-ocr export"


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit status."""
    return run(PROG, _export, argv, parser)


def parser() -> argparse.ArgumentParser:
    made = Parser(
        prog=PROG,
        description="Write one epoch of a model as an ONNX file with all that reading needs. Before it gets "
        "its name, it is compared with MXNet.",
    )
    made.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    made.add_argument("out", type=Path, metavar="OUT.onnx", help="the file to write")
    add_epoch(made)
    made.add_argument("--greedy", action="store_true", help="add the text of the best path as an output (codes)")
    made.add_argument(
        "--quantise",
        action="store_true",
        help="store weights in 8 bits: about a quarter of the bytes, slightly different predictions",
    )
    made.add_argument(
        "--images", nargs="+", default=[], metavar="IMAGE",
        help="images or folders on which it is compared with MXNet (default: generated ones)",
    )  # fmt: skip
    made.add_argument("--overwrite", action="store_true", help="replace OUT.onnx if it exists")
    add_import(made)
    add_version(made)
    return made


def _export(argv: list[str]) -> None:
    arguments = parser().parse_args(argv)
    images = find_images(arguments.images) if arguments.images else []
    set_threads(1)
    # MXNet reads the number of threads when it is imported, so not above.
    from ctc_ocr.export.onnx import export_onnx

    made = export_onnx(
        arguments.model, arguments.out, epoch=arguments.epoch, greedy=arguments.greedy,
        quantise=arguments.quantise, images=images, overwrite=arguments.overwrite,
    )  # fmt: skip
    all_same = made.same_texts == made.num_images
    texts = f"{made.num_images} images" if all_same else f"{made.same_texts} of {made.num_images} images"
    print(
        f"{made.path}: {made.num_bytes:,} bytes; the same texts as MXNet on {texts}, and log probabilities that differ "
        f"by at most {made.largest_difference:.1g}"
    )
