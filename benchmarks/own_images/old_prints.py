"""Old German prints (archiscribe): from nothing, and after a training on rendered lines in Fraktur fonts."""

import csv
from pathlib import Path

import numpy as np

from benchmarks.own_images.common import Work, finish, parser, table
from benchmarks.own_images.lines import Style, compose, write

TEST_WORKS = "abrisseinerverg00krgoog,bub_gb_HT9EAAAAcAAJ,dieharzburgundi00leongoog,protokollederde10bundgoog"
FONTS = ("@expo-google-fonts/unifrakturmaguntia", "@expo-google-fonts/unifrakturcook")  # free, with a long s
SIZES = range(24, 72, 6)


def main() -> None:
    made = parser(__doc__ or "")
    made.add_argument("--data", type=Path, required=True, help="folder of the archiscribe corpus: .png with .txt")
    made.add_argument("--rendered", type=int, default=8000, help="rendered lines to pre-train on (default: 8000)")
    arguments = made.parse_args()
    work = Work(arguments)
    if work.missing("lines/train.csv"):
        work.command("data", "split", str(arguments.data.resolve()), "lines", "--group", "^(.*)_",
                     "--test_groups", TEST_WORKS, "--fractions", "0.9,0.1,0", "--unicode_form", "NFC")  # fmt: skip
    count = 60 if arguments.quick else arguments.rendered
    if work.missing("rendered"):
        write(work.folder / "rendered", _texts(work, count), _styles(work), seed=1)
    few = ("--num_epoch=1", "--samples_per_epoch=32") if arguments.quick else ()
    own = ("--data=lines/train.csv", "--validation=lines/validation.csv", "--preset=line", *few)
    seconds = {
        "nothing": work.train("nothing/ocr", *own),
        "rendered": work.train("rendered_run/ocr", "--data=rendered", "--preset=line", "--validation_fraction=0.03",
                               *few),
    }  # fmt: skip
    seconds["fine"] = work.train("fine/ocr", *own, "--init_from=rendered_run/ocr", "--learning_rate=0.002")
    reports = {name: work.evaluate(f"{name}/ocr", "lines/test.csv") for name in ("nothing", "rendered_run", "fine")}
    rows = [
        ("own lines, from nothing", seconds["nothing"], reports["nothing"]),
        ("rendered lines only", seconds["rendered"], reports["rendered_run"]),
        ("own lines, after rendered ones", seconds["fine"], reports["fine"]),
    ]
    shown = table(("trained on", "minutes", "CER of the test works", "accuracy"),
                  [(name, f"{time / 60:.1f}", f"{report['cer']:.4f}", f"{report['accuracy']:.3f}")
                   for name, time, report in rows])  # fmt: skip
    curves = {name: work.best_cer(f"{name}/ocr") for name in ("nothing", "fine")}
    finish(arguments, shown, {"seconds": seconds, "reports": reports, "curves": curves})


def _styles(work: Work) -> list[Style]:
    fonts = [path for package in FONTS for path in work.npm_fonts(package)]
    return [Style(font, size) for font in fonts for size in SIZES]


def _texts(work: Work, count: int) -> list[str]:
    """Half of the words come from the lines to train on, half from a list of German words, with a long s."""
    with (work.folder / "lines" / "train.csv").open(encoding="utf-8", newline="") as file:
        own = [word for row in csv.DictReader(file) for word in row["label"].split()]
    (listed,) = work.debian_files("wngerman", "ngerman")
    words = [long_s(word) for word in Path(listed).read_text(encoding="utf-8").split()]
    generator = np.random.default_rng(0)
    return [compose(own if generator.random() < 0.5 else words, generator, 85) for _ in range(count)]


def long_s(word: str) -> str:
    """As it was set: a round s stands at the end of a word only."""
    return word[:-1].replace("s", "ſ") + word[-1:]


if __name__ == "__main__":
    main()
