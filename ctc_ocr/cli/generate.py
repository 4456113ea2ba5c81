"""ctc-ocr generate: write one captcha, or a folder or a pack of them with their labels."""

import argparse
import secrets
from pathlib import Path

import cv2

from ctc_ocr.cli.arguments import (
    MAX_PROCESSES,
    Parser,
    add_hyperparameters,
    add_import,
    add_version,
    any_integer,
    integer,
    non_empty,
)
from ctc_ocr.cli.running import run
from ctc_ocr.config.registries import RENDERERS
from ctc_ocr.config.sections import Data
from ctc_ocr.datasets.captcha_files import FORMATS, CaptchaWriter
from ctc_ocr.datasets.captcha_packs import write_captcha_pack
from ctc_ocr.datasets.labels_csv import LABELS_FILE
from ctc_ocr.datasets.sources.shards import MAX_SHARDS
from ctc_ocr.errors import InputError
from ctc_ocr.runtime.progress import shown_progress

PROG = "ctc-ocr generate"
SIZES = ("draw_width", "draw_height", "width", "height")
MANY = ("count", "output_dir", "pack", "shards", "format", "num_proc", "overwrite")  # flags for many captchas
DATA_OPTIONS = ("alphabet", "min_length", "max_length", "writing", *SIZES)
OF_ANY_SIZE = ("wild", "old_japanese")  # renderers
OF_ROWS = ("captcha", "fast", "wild")  # renderers that draw no columns


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit status."""
    return run(PROG, _generate, argv, parser)


def _generate(argv: list[str]) -> int:
    arguments = _parse(argv)
    data = Data(**{name: getattr(arguments, name) for name in DATA_OPTIONS})
    seed = secrets.randbits(32) if arguments.seed is None else arguments.seed
    writer = CaptchaWriter.create(data, seed, arguments.font, arguments.renderer)
    cv2.setNumThreads(1)
    if arguments.count is None:
        _write_one(writer, Path(arguments.output), arguments.num)
    elif arguments.pack is not None:
        _write_pack(writer, arguments)
    else:
        _write_folder(writer, arguments)
    return 0


def parser() -> argparse.ArgumentParser:
    made = Parser(
        prog=PROG,
        usage="%(prog)s FONT OUTPUT [--num TEXT] [options]\n"
        "       %(prog)s [FONT] --count N --output_dir DIR [options]\n"
        "       %(prog)s [FONT] --count N --pack OUT [options]",
        description="Write one captcha, a folder of captchas with labels.csv, or a RecordIO pack of captchas.",
    )
    made.add_argument("font", nargs="?", metavar="FONT", help="font file or folder of fonts")
    made.add_argument("output", nargs="?", metavar="OUTPUT", help=f"image file: {', '.join(FORMATS)}")
    one = made.add_argument_group("one captcha")
    one.add_argument("--num", metavar="TEXT", help="its text (default: random)")
    many = made.add_argument_group("many captchas")
    many.add_argument("--count", type=integer(1), metavar="N", help="number of captchas")
    many.add_argument(
        "--output_dir", type=non_empty, metavar="DIR", help="folder for the images and labels.csv; created if missing"
    )
    many.add_argument(
        "--pack",
        type=non_empty,
        metavar="OUT",
        help="in place of --output_dir: a pack, OUT.rec with OUT.idx and OUT.json",
    )
    many.add_argument(
        "--shards", type=integer(1, MAX_SHARDS), metavar="N", help="number of files of the pack (default: 1)"
    )
    many.add_argument("--format", choices=FORMATS, help="file format (default: png)")
    many.add_argument(
        "--num_proc", type=integer(1, MAX_PROCESSES), metavar="N", help="number of image processes (default: 1)"
    )
    many.add_argument("--overwrite", action="store_true", help="replace what an earlier run wrote to DIR or OUT")
    images = made.add_argument_group(
        "texts and images", "Captchas are drawn at --draw_width and --draw_height, and the files have the size of a "
        "network's input.",
    )  # fmt: skip
    add_hyperparameters(images, DATA_OPTIONS)
    images.add_argument(
        "--renderer", choices=RENDERERS.names(), default="captcha",
        help="what draws the images: the captcha package, the fast renderer of its distribution, text of any look in "
        "sizes of its own (wild), old Japanese characters (old_japanese), or one of your own (default: captcha)",
    )  # fmt: skip
    images.add_argument(
        "--seed", type=any_integer, help="the same seed gives the same images (default: a new one, which is printed)"
    )
    add_import(made)
    add_version(made)
    return made


def _parse(argv: list[str]) -> argparse.Namespace:
    made = parser()
    arguments = made.parse_intermixed_args(argv)
    _check_mode(made, arguments)
    changed = [f"--{name}" for name in SIZES if getattr(arguments, name) != getattr(Data(), name)]
    if arguments.renderer in OF_ANY_SIZE and changed:
        named = f"{', '.join(changed)}: no effect with --renderer {arguments.renderer}"
        made.error(f"{named}, whose images have sizes of their own")
    if arguments.writing == "vertical" and arguments.renderer in OF_ROWS:
        made.error(f"--writing vertical: no effect with --renderer {arguments.renderer}, which draws rows")
    return arguments


def _check_mode(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    many = {name: getattr(arguments, name) for name in MANY}
    if arguments.count is None:
        given = [f"--{name}" for name, value in many.items() if value]
        if given:
            where = "" if arguments.output_dir or arguments.pack else " --output_dir DIR"
            parser.error(f"{', '.join(given)} needs --count N{where}")
        if arguments.output is None:
            parser.error("expected FONT and OUTPUT, or --count N --output_dir DIR")
        if Path(arguments.output).suffix.lower().lstrip(".") not in FORMATS:
            parser.error(f"{arguments.output}: the name must end in one of .{', .'.join(FORMATS)}")
        _check_text(parser, arguments.num, arguments.alphabet)
    elif arguments.output_dir is None and arguments.pack is None:
        parser.error("--count needs --output_dir DIR or --pack OUT")
    elif arguments.output_dir is not None and arguments.pack is not None:
        parser.error("--output_dir and --pack: use one of them")
    elif arguments.shards is not None and arguments.pack is None:
        parser.error("--shards needs --pack OUT")
    elif arguments.output is not None or arguments.num is not None:
        parser.error("OUTPUT and --num are for one captcha, --count with --output_dir or --pack for many")


def _check_text(parser: argparse.ArgumentParser, text: str | None, alphabet: str) -> None:
    unknown = sorted(set(text or "") - set(alphabet))
    if text == "":
        parser.error("--num: the text is empty")
    if unknown:
        parser.error(f"--num: {', '.join(map(repr, unknown))} not in the alphabet {alphabet!r}: set it with --alphabet")


def _write_one(writer: CaptchaWriter, path: Path, text: str | None) -> None:
    if not path.parent.is_dir():
        raise InputError(f"there is no folder {path.parent}", path)
    print(f"Wrote {writer.write(path, text)} to {path} (seed {writer.seed})")


def _write_folder(writer: CaptchaWriter, arguments: argparse.Namespace) -> None:
    count, folder = arguments.count, Path(arguments.output_dir)
    with shown_progress() as progress:
        writer.write_folder(
            folder, count, arguments.format or "png", arguments.num_proc or 1, arguments.overwrite, progress
        )
    print(f"Wrote {count} images and {LABELS_FILE} to {folder} (seed {writer.seed})")


def _write_pack(writer: CaptchaWriter, arguments: argparse.Namespace) -> None:
    with shown_progress() as progress:
        pack = write_captcha_pack(
            writer, arguments.pack, arguments.count, arguments.shards or 1, format=arguments.format or "png",
            num_proc=arguments.num_proc or 1, overwrite=arguments.overwrite, progress=progress,
        )  # fmt: skip
    shards = f" ({pack.shards} shards)" if pack.shards > 1 else ""
    print(f"Packed {pack.num_samples} images in {pack.path}{shards} (seed {writer.seed})")
