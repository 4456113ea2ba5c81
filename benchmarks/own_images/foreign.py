"""A captcha of another package: how many labelled images it takes, with and without a digits model to start from.

The images are those of the package easy-captcha-python (Apache-2.0) as it draws them when nothing is set but digits:
five of 2 to 9 in colour, in outlines, with a curve and circles across. It draws with `secrets`, so no seed reaches it:
figures differ a little from run to run.
"""

import csv
import importlib
import io
import sys
from pathlib import Path
from typing import Any

from benchmarks.own_images.common import ROOT, Work, accuracy_cells, finish, parser, table
from ctc_ocr.checkpoint import history

PACKAGE = "easy-captcha-python==1.0.0"
COUNTS = (30, 100, 300, 1000)
TEST = 1000
FONT = str(ROOT / "fonts" / "Ubuntu-M.ttf")
DIGITS = 10_000  # captchas of digits for the model to start from


def main() -> None:
    arguments = parser(__doc__ or "").parse_args()
    work = Work(arguments)
    counts, test = ((20, 40), 20) if arguments.quick else (COUNTS, TEST)
    digits, epochs = (48, 1) if arguments.quick else (DIGITS, 6)
    # As many updates whatever the number of images, so that only that differs.
    own = ("--num_epoch=1", "--samples_per_epoch=64") if arguments.quick else (
        "--num_epoch=30", "--samples_per_epoch=1000")  # fmt: skip
    for folder, count in (("pool", max(counts)), ("test", test)):
        if work.missing(folder):
            write(work.folder / folder, count, captchas(work))
    if work.missing("generated"):
        work.command("generate", FONT, f"--count={digits}", "--output_dir=generated", "--min_length=4",
                     "--max_length=6", "--width=160", "--height=60", "--seed=5")  # fmt: skip
    seconds = {
        "digits": work.train(
            "digits/ocr",
            "--data=generated",
            "--init_from=none",
            f"--num_epoch={epochs}",
            f"--samples_per_epoch={digits}",
        )
    }
    reports = {"digits, 0": work.evaluate("digits/ocr", "test")}
    for count in counts:
        first(work.folder / "pool", count)
        data = (f"--data=pool/first-{count}.csv", *own)
        for start, model in (("nothing", "none"), ("digits", "digits/ocr")):
            name, prefix = f"{start}, {count}", f"{start}_{count}/ocr"
            seconds[name] = work.train(prefix, *data, f"--init_from={model}")
            reports[name] = work.evaluate(prefix, "test")
    finish(arguments, _shown(work, counts, seconds, reports), {"seconds": seconds, "reports": reports})


def _shown(work: Work, counts: tuple[int, ...], seconds: dict[str, float], reports: dict[str, Any]) -> str:
    rows: list[tuple[object, ...]] = [(0, "0 (untrained)", _read(reports["digits, 0"]), "-", "-")]
    for count in counts:
        names = (f"nothing, {count}", f"digits, {count}")
        rows.append(
            (count, *(_read(reports[name]) for name in names), *(f"{seconds[name] / 60:.1f}" for name in names))
        )
    head = ("labelled images", "from nothing", "from the digits model", "minutes", "minutes, from digits")
    accuracy = history.read(work.folder / "digits/ocr")[-1].validation_accuracy
    return (
        f"The digits model took {seconds['digits'] / 60:.1f} minutes, and reads {accuracy:.4f} of the captchas "
        f"that were held out.\n\n{table(head, rows)}"
    )


def _read(report: dict[str, Any]) -> str:
    accuracy, interval = accuracy_cells(report, 3)
    return f"{accuracy} ({interval})"


def captchas(work: Work) -> Any:
    """The package, installed into the benchmark's folder alone."""
    target = work.folder / "downloads" / "easy_captcha"
    if not target.exists():
        work.download(sys.executable, "-m", "pip", "install", "--no-deps", f"--target={target}", PACKAGE)
    if str(target) not in sys.path:
        sys.path.append(str(target))
    return importlib.import_module("easy_captcha")


def write(folder: Path, count: int, package: Any) -> None:
    """A folder of its captchas with labels.csv."""
    folder.mkdir()
    rows = [("image", "label")]
    for index in range(count):
        captcha = package.SpecCaptcha()
        captcha.char_type = package.TYPE_ONLY_NUMBER
        stream = io.BytesIO()
        if not captcha.out(stream):
            sys.exit(f"{PACKAGE} could not draw {captcha.text()}")
        rows.append((f"{index:04}.png", captcha.text()))
        (folder / rows[-1][0]).write_bytes(stream.getvalue())
    _write_rows(folder / "labels.csv", rows)


def first(folder: Path, count: int) -> None:
    """first-COUNT.csv beside the folder's labels.csv: its first rows. Each number's images are among the next one's."""
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as file:
        _write_rows(folder / f"first-{count}.csv", list(csv.reader(file))[: count + 1])


def _write_rows(path: Path, rows: list[Any]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


if __name__ == "__main__":
    main()
