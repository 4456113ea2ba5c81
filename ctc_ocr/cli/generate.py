"""captcha_generator: write one captcha, or many with their labels."""

import argparse
import concurrent.futures
import multiprocessing
import re
import secrets
import sys
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

import cv2
from tqdm import tqdm

from ctc_ocr.cli.common import add_hyperparameters, add_version, integer, run
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.config.sections import Data
from ctc_ocr.datasets.labels_csv import LABELS_FILE, write_labels
from ctc_ocr.errors import InputError, RunError
from ctc_ocr.generation.parent import interrupts_withheld, watch_parent
from ctc_ocr.generation.seeds import FILES, sample_generator
from ctc_ocr.rendering.captcha_library import CaptchaLibraryRenderer
from ctc_ocr.rendering.fonts import check_glyphs, find_fonts
from ctc_ocr.rendering.text import random_text

PROG = "captcha_generator"
DATA_OPTIONS = ("alphabet", "min_length", "max_length", "draw_width", "draw_height", "width", "height")
FORMATS = ("png", "jpg", "jpeg", "bmp", "tif", "tiff", "webp", "pgm")
CHUNK = 64  # images a task for a worker: short enough to stop soon, long enough to hide the cost of a task


@dataclass(frozen=True)
class Samples:
    """All that a sample depends on but its index."""

    renderer: CaptchaLibraryRenderer
    data: Data
    seed: int

    def write(self, index: int, path: Path, text: str | None = None) -> str:
        """Write sample `index` as a grey image file and return its text; without a text, a random one is drawn."""
        generator = sample_generator(self.seed, FILES, index)
        if text is None:
            text = "".join(random_text(generator, self.data.alphabet, self.data.min_length, self.data.max_length))
        encoded, file = cv2.imencode(path.suffix, self.renderer.render(text, generator))
        if not encoded:
            raise RunError("OpenCV could not write this format", path)
        try:
            path.write_bytes(file.tobytes())
        except OSError as error:
            raise RunError(str(error.strerror), path) from None
        return text


@dataclass(frozen=True)
class Chunk:
    """Consecutive samples that one process writes into one folder."""

    samples: Samples
    directory: Path
    extension: str
    indices: range

    def write(self) -> list[tuple[str, str]]:
        """Write the images and return their rows of labels.csv."""
        rows = []
        for index in self.indices:
            name = f"{index:06d}.{self.extension}"
            rows.append((name, self.samples.write(index, self.directory / name)))
        return rows


def main(argv: list[str] | None = None) -> int:
    return run(PROG, _generate, argv)


def _generate(argv: list[str]) -> int:
    arguments = _parse(argv)
    data = Data(**{name: getattr(arguments, name) for name in DATA_OPTIONS})
    Hyperparameters(data=data)  # checks the values
    fonts = find_fonts(arguments.font)
    check_glyphs(fonts, data.alphabet)
    renderer = CaptchaLibraryRenderer(fonts, data.draw_width, data.draw_height, data.width, data.height)
    seed = secrets.randbits(32) if arguments.seed is None else arguments.seed
    samples = Samples(renderer, data, seed)
    cv2.setNumThreads(1)
    if arguments.count is None:
        _write_one(samples, Path(arguments.output), arguments.num)
    else:
        _write_many(samples, arguments)
    return 0


def _parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=PROG,
        usage="%(prog)s FONT OUTPUT [--num TEXT] [options]\n"
        "       %(prog)s [FONT] --count N --output_dir DIR [options]",
        description="Write one captcha, or many with a labels.csv beside them.",
    )
    parser.add_argument("font", nargs="?", metavar="FONT", help="font file, or folder of fonts")
    parser.add_argument("output", nargs="?", metavar="OUTPUT", help=f"image file: {', '.join(FORMATS)}")
    one = parser.add_argument_group("one captcha")
    one.add_argument("--num", metavar="TEXT", help="what it shows (default: random)")
    many = parser.add_argument_group("many captchas")
    many.add_argument("--count", type=integer(1), metavar="N", help="how many")
    many.add_argument("--output_dir", metavar="DIR", help="folder for the images and labels.csv; made if need be")
    many.add_argument("--format", choices=FORMATS, help="file format (default: png)")
    many.add_argument("--num_proc", type=integer(1), metavar="N", help="processes (default: 1)")
    many.add_argument("--overwrite", action="store_true", help="replace what an earlier run wrote to DIR")
    images = parser.add_argument_group("what is drawn")
    add_hyperparameters(images, DATA_OPTIONS)
    images.add_argument(
        "--seed", type=int, help="the same seed draws the same images (default: a new one each time, which is printed)"
    )
    add_version(parser)
    arguments = parser.parse_intermixed_args(argv)
    _check_mode(parser, arguments)
    return arguments


def _check_mode(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    many = {name: getattr(arguments, name) for name in ("count", "output_dir", "format", "num_proc", "overwrite")}
    if arguments.count is None:
        given = [f"--{name}" for name, value in many.items() if value]
        if given:
            parser.error(f"{', '.join(given)} needs --count N --output_dir DIR")
        if arguments.output is None:
            parser.error("FONT and OUTPUT are needed, or --count N --output_dir DIR")
        if Path(arguments.output).suffix.lower().lstrip(".") not in FORMATS:
            parser.error(f"{arguments.output}: the name must end in one of .{', .'.join(FORMATS)}")
        _check_text(parser, arguments.num, arguments.alphabet)
    elif arguments.output_dir is None:
        parser.error("--count needs --output_dir DIR")
    elif arguments.output is not None or arguments.num is not None:
        parser.error("OUTPUT and --num are for one captcha, --count and --output_dir for many")


def _check_text(parser: argparse.ArgumentParser, text: str | None, alphabet: str) -> None:
    unknown = sorted(set(text or "") - set(alphabet))
    if text == "":
        parser.error("--num: the text is empty")
    if unknown:
        parser.error(f"--num: {', '.join(map(repr, unknown))} not in the alphabet {alphabet!r}: see --alphabet")


def _write_one(samples: Samples, path: Path, text: str | None) -> None:
    if not path.parent.is_dir():
        raise InputError(f"there is no folder {path.parent}", path)
    written = samples.write(0, path, text)
    print(f"Wrote {written} to {path} (seed {samples.seed})")


def _write_many(samples: Samples, arguments: argparse.Namespace) -> None:
    directory, processes = Path(arguments.output_dir), arguments.num_proc or 1
    _make_room(directory, arguments.overwrite)
    step = max(1, min(CHUNK, arguments.count // processes))
    chunks = [
        Chunk(samples, directory, arguments.format or "png", range(start, min(start + step, arguments.count)))
        for start in range(0, arguments.count, step)
    ]
    with tqdm(total=arguments.count, unit="image", disable=not sys.stderr.isatty()) as bar:
        write_labels(directory / LABELS_FILE, _rows(chunks, min(processes, len(chunks)), bar))
    print(f"Wrote {arguments.count} images and {LABELS_FILE} to {directory} (seed {samples.seed})")


def _make_room(directory: Path, overwrite: bool) -> None:
    """Make the folder; refuse one that has images or labels, or remove those that an earlier run wrote there."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        files = [path for path in directory.iterdir() if path.is_file()]
        occupied = [path for path in files if path.name == LABELS_FILE or path.suffix.lower().lstrip(".") in FORMATS]
        if occupied and not overwrite:
            raise InputError(f"{directory} already holds images or {LABELS_FILE}: take another folder, or --overwrite")
        for path in occupied:
            if path.name == LABELS_FILE or re.fullmatch(r"\d{6,}\.\w+", path.name):
                path.unlink()
    except OSError as error:
        raise InputError(f"not a folder that can be written to ({error.strerror})", directory) from None


def _rows(chunks: list[Chunk], processes: int, bar: "tqdm[None]") -> Iterator[tuple[str, str]]:
    """Have the chunks written; the rows of labels.csv come in the order of the samples."""
    for rows in map(Chunk.write, chunks) if processes == 1 else _in_processes(chunks, processes):
        bar.update(len(rows))
        yield from rows


def _in_processes(chunks: list[Chunk], processes: int) -> Iterator[list[tuple[str, str]]]:
    # Not forked: whoever calls this may have started threads, MXNet's among them.
    context = multiprocessing.get_context("spawn")
    pool = concurrent.futures.ProcessPoolExecutor(processes, context, initializer=_start_worker)
    try:
        with interrupts_withheld():
            futures = [pool.submit(chunk.write) for chunk in chunks]
        for future in futures:
            yield future.result()
    except BrokenProcessPool:
        raise RunError("a worker process died (killed, or out of memory?); its images are missing") from None
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    watch_parent()
    cv2.setNumThreads(1)
