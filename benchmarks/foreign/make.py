"""Make the images of the generators: `python -m benchmarks.foreign.make DIR`. What is finished is not made again.

Into DIR/NAME go the images (`all`) with their labels.csv, and train.csv, test.csv and unlabelled.csv. Each generator is
installed into DIR/environments/NAME; PyPI, npm and Debian packages need pip, npm and node, apt-get and perl.
"""

import argparse
import sys
from pathlib import Path

from benchmarks.foreign.environments import installed
from benchmarks.foreign.generators import Generator, chosen
from benchmarks.foreign.images import write_images
from benchmarks.foreign.splits import is_split, write_splits
from ctc_ocr.errors import InputError, UserError

MIN_COUNT = 5


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit status: 1 if a generator failed."""
    arguments = parser().parse_args(argv)
    try:
        generators = chosen(arguments.only or ["all"])
        if arguments.count < MIN_COUNT:
            raise InputError(f"--count: {MIN_COUNT} or more, so that each part has an image")
    except InputError as error:
        parser().error(str(error))
    failed = 0
    for generator in generators:
        try:
            made = make(generator, arguments.folder, arguments.count, arguments.seed)
        except UserError as error:
            failed += 1
            print(f"{generator.name}: failed: {error}", file=sys.stderr, flush=True)
        else:
            print(f"{generator.name}: {'made' if made else 'is there'}", flush=True)
    return 1 if failed else 0


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m benchmarks.foreign.make", description=(__doc__ or "").split("\n")[0])
    made.add_argument("folder", type=Path, metavar="DIR", help="folder for images and environments")
    made.add_argument(
        "--only", nargs="+", metavar="NAME", help="generators, or development or held_out (default: all of them)"
    )
    made.add_argument("--count", type=int, default=2500, help="images of each generator (default: 2500)")
    made.add_argument("--seed", type=int, default=0, help="seed, as far as a generator can have one (default: 0)")
    return made


def make(generator: Generator, folder: Path, count: int, seed: int) -> bool:
    """Make what is missing of a generator's images; whether anything was. Raises RunError if it fails."""
    folder = folder.resolve()
    own = folder / generator.name
    if is_split(own):
        return False
    if not (own / "all").exists():
        driver = installed(generator, folder / "environments" / generator.name)
        write_images(generator, driver, own / "all", count, seed)
    write_splits(own)
    return True


if __name__ == "__main__":
    sys.exit(main())
