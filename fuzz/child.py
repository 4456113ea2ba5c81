"""The process that reads the inputs of one target, one after the other, and says before and after each which one it is.

    python -m fuzz.child TARGET SEED FIRST LAST FOLDER

It is started by supervision.py, which sees when it ends, hangs or takes too much.
"""

import faulthandler
import random
import resource
import sys
import traceback
import warnings
from pathlib import Path

from ctc_ocr.errors import UserError, printable
from fuzz.mutations import Files
from fuzz.targets import Run, Target, find_target

MAX_BYTES = 2**30  # of address space, beyond what reading a valid input takes
GOOD = ("result", "refused")
MAX_MESSAGE = 20_000  # characters


def input_number(target: Target, valid: list[Files], name: str, seed: int, number: int) -> Files:
    """The files of an input, one of which is changed."""
    rng = random.Random(f"{seed} {name} {number}")
    files = dict(rng.choice(valid))
    changed = rng.choice([each for each in target.changed if each in files])
    files[changed] = rng.choice(target.changed[changed])(rng, files[changed])
    return files


def write(files: Files, folder: Path) -> None:
    """The files of an input, and no others."""
    for path in folder.iterdir():
        if path.name not in files:
            path.unlink()
    for name, content in files.items():
        (folder / name).write_bytes(content)


def outcome(read: Run, folder: Path) -> str:
    """`result`, `refused`, or what came instead."""
    try:
        read(folder)
    except UserError as error:
        text = str(error)
        if len(text) > MAX_MESSAGE or printable(text, "\n") != text:
            return f"message: of {len(text)} characters, {text[:80]!r}"
        return "refused"
    except MemoryError:
        return f"memory: {_place(sys.exc_info()[1])}"
    except BaseException as error:
        return f"exception: {type(error).__name__} at {_place(error)}: {str(error)[:200]!r}"
    return "result"


def _place(error: BaseException | None) -> str:
    """The last line of the package in a traceback."""
    frames = traceback.extract_tb(error.__traceback__) if error else []
    own = [frame for frame in frames if "ctc_ocr" in Path(frame.filename).parts or "fuzz" in Path(frame.filename).parts]
    return f"{Path(own[-1].filename).name}:{own[-1].lineno}" if own else "?"


def limit_memory() -> None:
    size = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + MAX_BYTES, size + MAX_BYTES))


def main(argv: list[str]) -> None:
    name, seed, first, last, folder = argv[0], int(argv[1]), int(argv[2]), int(argv[3]), Path(argv[4])
    faulthandler.enable()
    warnings.simplefilter("ignore")
    target = find_target(name)
    valid = target.valid()
    read = target.make_reader(folder)
    for files in valid:
        write(files, folder)
        said = outcome(read, folder)
        if said not in GOOD:
            raise SystemExit(f"a valid input of {name}: {said}")
    limit_memory()
    for number in range(first, last):
        write(input_number(target, valid, name, seed, number), folder)
        print(f"start {number}", flush=True)
        said = outcome(read, folder)
        print(ascii(f"done {number} {said}")[1:-1], flush=True)
        if said not in GOOD:
            sys.stdin.readline()  # until the input is kept


if __name__ == "__main__":
    main(sys.argv[1:])
