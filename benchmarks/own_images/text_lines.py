"""Rendered lines of French, with accents and 60 and more characters: a size and a font that were not trained on."""

from pathlib import Path

import numpy as np

from benchmarks.own_images.common import ROOT, Work, finish, parser, table
from benchmarks.own_images.lines import Style, compose, write

SIZES, OTHER_SIZE = (18, 22, 28, 34, 42), 25
DEJAVU = ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSerif.ttf", "DejaVuSerif-Bold.ttf", "DejaVuSansMono.ttf")
LIBERATION = ("LiberationSans-Regular.ttf", "LiberationSans-Italic.ttf", "LiberationSerif-Italic.ttf",
              "LiberationMono-Regular.ttf", "LiberationSansNarrow-Regular.ttf")  # fmt: skip
UBUNTU = ("Ubuntu-M.ttf", "Ubuntu-R.ttf", "UbuntuMono-R.ttf")
OTHER_FONT = "LiberationSerif-Regular.ttf"


def main() -> None:
    arguments = parser(__doc__ or "").parse_args()
    work = Work(arguments)
    files = {Path(path).name: path for path in _fonts(work)}
    known = [files[name] for name in (*DEJAVU, *LIBERATION, *UBUNTU)]
    (listed,) = work.debian_files("wfrench", "french")
    words = Path(listed).read_text(encoding="utf-8").split()
    size = 40 if arguments.quick else 1000
    parts = {
        "train": (8 * size, [Style(font, each) for font in known for each in SIZES]),
        "validation": (size // 4, [Style(font, each) for font in known for each in SIZES]),
        "other_size": (size // 2, [Style(font, OTHER_SIZE) for font in known]),
        "other_font": (size // 2, [Style(files[OTHER_FONT], each) for each in SIZES]),
    }
    for seed, (part, (count, styles)) in enumerate(parts.items()):
        if work.missing(part):
            generator = np.random.default_rng(seed)
            write(work.folder / part, (compose(words, generator, 60) for _ in range(count)), styles, seed)
    few = ("--num_epoch=1", "--samples_per_epoch=32") if arguments.quick else ()
    seconds = work.train("run/ocr", "--data=train", "--validation=validation", "--preset=line", *few)
    reports = {part: work.evaluate("run/ocr", part) for part in ("other_size", "other_font")}
    rows = [(part.replace("_", " "), report["samples"], f"{report['cer']:.4f}", f"{report['accuracy']:.3f}")
            for part, report in reports.items()]  # fmt: skip
    shown = table(("lines in", "lines", "CER", "accuracy"), rows)
    finish(arguments, f"Trained for {seconds / 60:.1f} minutes.\n\n{shown}", {"seconds": seconds, "reports": reports})


def _fonts(work: Work) -> list[str]:
    own = [str(path) for path in (ROOT / "fonts").glob("*.ttf")]
    return [*own, *work.debian_files("fonts-dejavu-core", "*.ttf"), *work.debian_files("fonts-liberation", "*.ttf")]


if __name__ == "__main__":
    main()
