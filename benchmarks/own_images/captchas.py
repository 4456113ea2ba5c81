"""4,000 captchas of letters and digits as a labelled folder: 3,000 to train on, 300 for validation, 700 to test."""

import shutil

from benchmarks.own_images.common import ROOT, Work, accuracy_cells, finish, parser, table

FONTS = ("Ubuntu-M.ttf", "Ubuntu-R.ttf", "Ubuntu-B.ttf")
ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"


def main() -> None:
    arguments = parser(__doc__ or "").parse_args()
    work = Work(arguments)
    if work.missing("fonts"):
        (work.folder / "fonts").mkdir()
        for font in FONTS:
            shutil.copy(ROOT / "fonts" / font, work.folder / "fonts")
    counts = (48, 16, 16) if arguments.quick else (3000, 300, 700)
    if work.missing("all"):
        work.command("generate", "fonts", f"--count={sum(counts)}", "--output_dir=all", f"--alphabet={ALPHABET}",
                     "--min_length=4", "--max_length=6", "--draw_width=200", "--draw_height=60", "--width=200",
                     "--height=60", "--seed=11")  # fmt: skip
    if work.missing("parts/train.csv"):
        work.command("data", "split", "all", "parts", "--counts", ",".join(map(str, counts)), "--seed=1")
    own = ["--data=parts/train.csv", "--validation=parts/validation.csv"]
    own += ["--num_epoch=1"] if arguments.quick else []
    rows, values = [], {}
    for name, flags in (("augmented", []), ("as they are", ["--augment=false"])):
        prefix = f"{name.replace(' ', '_')}/ocr"
        seconds = work.train(prefix, *own, *flags)
        report = work.evaluate(prefix, "parts/test.csv")
        rows.append((name, f"{seconds / 60:.1f}", *accuracy_cells(report, 4), f"{report['cer']:.4f}"))
        values[name] = {"seconds": seconds, "report": report}
    finish(arguments, table(("training images", "minutes", "accuracy", "95 % interval", "CER"), rows), values)


if __name__ == "__main__":
    main()
