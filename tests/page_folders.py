"""Small books with a box for each character, in the layout of BOOK_coordinate.csv and images/*.jpg.

    python -m tests.page_folders FOLDER

writes two of two pages, for the commands of the docs. No font of this repository has Japanese characters, so each is
drawn as a Latin letter of its own.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

FONT = Path(__file__).resolve().parent.parent / "fonts" / "Ubuntu-M.ttf"
LETTERS = dict(zip("あいうえおかきくけこさしアイウ山川、", "abcdefghkmnpABCRS;", strict=True))
HEADER = "Unicode,Image,X,Y,Block ID,Char ID,Width,Height"
SIZE, PITCH = 32, 60  # pixels of a letter, and from one column to the next
TEXTS = (("あいうえおか", "きくけこ山", "アイウさし"), ("しさかおえ", "うい、あ", "こけくき川"))


def rows_of(page: str, columns: Sequence[str], width: int = 300) -> list[str]:
    """Rows of a table: columns of characters, from right to left, each from top to bottom."""
    rows = list[str]()
    for number, column in enumerate(columns):
        for place, character in enumerate(column):
            x, y = width - (number + 1) * PITCH, 20 + place * (SIZE + 4)
            rows.append(f"U+{ord(character):04X},{page},{x},{y},B0001,C{len(rows) + 1:04},{SIZE},{SIZE}")
    return rows


def draw(path: Path, rows: Sequence[str], width: int = 300, height: int = 260, seed: int = 0) -> None:
    """A page with what the rows say, on paper with some noise."""
    generator = np.random.default_rng(seed)
    paper = generator.normal(225, 4, (height, width, 3)).clip(0, 255).astype(np.uint8)
    image, font = Image.fromarray(paper), ImageFont.truetype(str(FONT), SIZE)
    for row in rows:
        code, _, x, y = row.split(",")[:4]
        letter = LETTERS.get(chr(int(code[2:], 16)), "?")
        ImageDraw.Draw(image).text((int(x) + SIZE / 2, int(y) + SIZE / 2), letter, (30, 25, 20), font, "mm")
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, quality=95)


def write_book(
    folder: Path, name: str, pages: Sequence[Sequence[str]] = TEXTS, encoding: str = "utf-8", seed: int = 0
) -> Path:
    """A book of pages of columns; returns its table."""
    rows = []
    for number, columns in enumerate(pages):
        page = f"{name}_{number + 1:03}"
        of_page = rows_of(page, columns)
        draw(folder / name / "images" / f"{page}.jpg", of_page, seed=seed + number)
        rows += of_page
    table = folder / name / f"{name}_coordinate.csv"
    table.write_text("\n".join([HEADER, *rows, ""]), encoding=encoding)
    return table


if __name__ == "__main__":
    for book, texts in (("book1", TEXTS), ("book2", (TEXTS[1], TEXTS[0]))):
        write_book(Path(sys.argv[1]), book, texts, seed=len(book) + int(book[-1]))
