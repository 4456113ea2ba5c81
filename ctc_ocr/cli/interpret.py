"""ctc-ocr interpret: show what a model gets wrong, and what its predictions rest on."""

import argparse
import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ctc_ocr.cli.arguments import Parser, add_device, add_import, add_version, integer
from ctc_ocr.cli.data_options import add_source, source_options
from ctc_ocr.cli.evaluation_table import aligned
from ctc_ocr.cli.model_options import add_ink, add_model, find_model, gpu
from ctc_ocr.cli.running import run
from ctc_ocr.errors import InputError
from ctc_ocr.runtime.atomic_files import replacing
from ctc_ocr.runtime.output_files import refuse_existing
from ctc_ocr.runtime.progress import shown_progress
from ctc_ocr.runtime.threads import set_threads

if TYPE_CHECKING:
    from ctc_ocr.inference.activation_map import ActivationMaps
    from ctc_ocr.inference.predictor import Predictor
    from ctc_ocr.interpretation.interpreting import Interpretation

PROG = "ctc-ocr interpret"
LOSSES, CONFUSIONS, FIGURES, PAGE = "top_losses.png", "confusions.png", "interpretation.json", "page.png"


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit status: 1 if a sample is invalid."""
    return run(PROG, _interpret, argv, parser)


def parser() -> argparse.ArgumentParser:
    made = Parser(
        prog=PROG,
        usage="%(prog)s [--model MODEL] SOURCE ... --out FOLDER [options]",
        description="Show the images that a model finds hardest, the characters that it confuses most, and the parts "
        "of the images that its predictions rest on.",
    )  # fmt: skip
    add_source(made, several=True)
    add_model(made)
    made.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help=f"where {LOSSES}, {CONFUSIONS} and {FIGURES} go"
    )
    made.add_argument("--overwrite", action="store_true", help="replace these files")
    made.add_argument(
        "--top", type=integer(1, 1000), default=24, metavar="N", help="number of hardest images (default: 24)"
    )
    made.add_argument(
        "--pairs", type=integer(1, 1000), default=12, metavar="N", help="number of confused pairs (default: 12)"
    )
    made.add_argument(
        "--examples", type=integer(1, 100), default=4, metavar="N", help="images of each pair (default: 4)"
    )
    made.add_argument(
        "--no_maps", action="store_false", dest="maps", help="leave activation maps out (networks without convolutions "
        "have none)",
    )  # fmt: skip
    made.add_argument(
        "--page", metavar="PAGE", help="for a source of pages: also draw this page, with what is read beside it; "
        "BOOK/PAGE if several books have it (needs --font)",
    )  # fmt: skip
    made.add_argument("--font", metavar="FILE", help="font of labels and readings (default: the captcha package's)")
    add_ink(made)
    add_device(made)
    add_import(made)
    add_version(made)
    return made


def _interpret(argv: list[str]) -> int:
    arguments = parser().parse_intermixed_args(argv)
    paths = [arguments.out / name for name in (LOSSES, CONFUSIONS, FIGURES)]
    if arguments.page:
        if not arguments.font:
            raise InputError("needs --font, with the characters that may be read", "--page")
        if arguments.cut_size:
            raise InputError("would move the characters on the page: leave it out with --page", "--cut_size")
        paths.append(arguments.out / PAGE)
    refuse_existing(paths, arguments.overwrite)
    set_threads(arguments.cpu)
    # MXNet reads the number of threads when it is imported, so not above.
    from ctc_ocr.inference.predictor import Predictor
    from ctc_ocr.interpretation.interpreting import interpret
    from ctc_ocr.interpretation.sheets import sheet_fonts

    fonts = sheet_fonts(arguments.font)  # before anything is read
    model, epoch = find_model(arguments, PROG)
    size = {"batch_size": arguments.batch_size} if arguments.batch_size else {}
    predictor = Predictor(model, epoch, context=gpu(arguments), ink=arguments.ink, **size)
    if arguments.page:
        _write_page(predictor, arguments, fonts[0])
    with shown_progress() as progress:
        found = interpret(
            predictor, arguments.source, source_options(arguments), top=arguments.top, pairs=arguments.pairs,
            examples=arguments.examples, progress=progress,
        )  # fmt: skip
    print(_table(found))
    _write(found, predictor, arguments)
    return 1 if found.num_invalid else 0


def _table(found: "Interpretation") -> str:
    accuracy = found.num_correct / found.num_samples
    rows = [[_unit(each.label), _unit(each.predicted), str(each.count)] for each in found.confused]
    table = aligned([["label", "predicted", "count"], *rows], "<<>") if rows else "No character is confused."
    summary = f"accuracy {accuracy:.4f} of {found.num_samples} images"
    if math.isfinite(found.mean_loss):
        summary += f", mean loss {found.mean_loss:.3f} nats"
    invalid = f"; {found.num_invalid} could not be read" if found.num_invalid else ""
    return f"{summary}{invalid}\n\n{table}"


def _unit(unit: str | None) -> str:
    return "-" if unit is None else repr(unit)


def _write(found: "Interpretation", predictor: "Predictor", arguments: argparse.Namespace) -> None:
    from ctc_ocr.interpretation.sheets import examples_of, sheet

    maps = _maps(predictor) if arguments.maps else None
    arguments.out.mkdir(parents=True, exist_ok=True)
    pictures = {LOSSES: list(found.top_losses), CONFUSIONS: examples_of(found.confused)}
    for name, examples in pictures.items():
        if not examples:
            (arguments.out / name).unlink(missing_ok=True)  # of an earlier call
        else:
            with replacing(arguments.out / name) as temporary:
                sheet(predictor, examples, arguments.font, maps).save(temporary, format="PNG")
    with replacing(arguments.out / FIGURES) as temporary:
        temporary.write_text(f"{json.dumps(found.to_dict(), indent=2, ensure_ascii=False)}\n", encoding="utf-8")
    print(f"Wrote {', '.join([*(name for name, each in pictures.items() if each), FIGURES])} to {arguments.out}")


def _write_page(predictor: "Predictor", arguments: argparse.Namespace, font: str) -> None:
    from ctc_ocr.inference.evaluate import open_sources
    from ctc_ocr.interpretation.page_readings import draw_readings

    rows = open_sources(arguments.source, source_options(arguments))
    picture = draw_readings(predictor, rows, arguments.page, font)
    arguments.out.mkdir(parents=True, exist_ok=True)
    with replacing(arguments.out / PAGE) as temporary:
        picture.save(temporary, format="PNG")
    print(f"Wrote {PAGE}, page {arguments.page}")


def _maps(predictor: "Predictor") -> "ActivationMaps | None":
    """None, with a line on stderr, for a model that has none: all else can be shown."""
    from ctc_ocr.checkpoint.model_files import load_stored
    from ctc_ocr.inference.activation_map import ActivationMaps

    try:
        if predictor.stored is None:
            raise InputError("an ONNX model has none; the model that it was made of may", predictor.prefix)
        return ActivationMaps(load_stored(predictor.stored))
    except InputError as error:
        print(f"{PROG}: no activation maps: {error}", file=sys.stderr)
        return None
