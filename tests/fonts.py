"""Real fonts with only some characters."""

from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont


def font_with(characters: str, font: str, path: Path) -> str:
    """Write a copy of a font that has these characters only. Returns its path."""
    opened = TTFont(font)
    worker = subset.Subsetter()
    worker.populate(text=characters)
    worker.subset(opened)
    opened.save(path)
    return str(path)
