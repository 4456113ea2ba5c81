"""A box around one character of a page, and rectangles of pixels. The origin is the top left corner of the page."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple


class Rectangle(NamedTuple):
    """In pixels of the page; `right` and `bottom` are the first ones outside."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def centre(self) -> tuple[float, float]:
        """(x, y)"""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def overlaps(self, other: "Rectangle") -> bool:
        """Whether they share a pixel."""
        return self.shares_columns(other) and self.top < other.bottom and other.top < self.bottom

    def shares_columns(self, other: "Rectangle") -> bool:
        """Whether they share a column of pixels of the page."""
        return self.left < other.right and other.left < self.right

    def holds(self, point: tuple[float, float]) -> bool:
        """Whether a point (x, y) is inside."""
        return self.left < point[0] < self.right and self.top < point[1] < self.bottom

    @classmethod
    def around(cls, rectangles: "Iterable[Rectangle]") -> "Rectangle":
        """The smallest one that holds all of these."""
        columns = list(zip(*rectangles, strict=True))
        return cls(min(columns[0]), min(columns[1]), max(columns[2]), max(columns[3]))


@dataclass(frozen=True, slots=True)
class Box:
    """A character and where it is on its page. `block` and `name` are its ids as the table has them."""

    character: str
    rectangle: Rectangle
    block: str = ""
    name: str = ""
