"""Sets of Japanese characters by name, combined, or as a list."""

from collections.abc import Sequence
from dataclasses import dataclass

from ctc_ocr.errors import InputError

Ranges = Sequence[tuple[int, int]]  # first and last code point

HIRAGANA: Ranges = ((0x3040, 0x3096), (0x309F, 0x309F))
KATAKANA: Ranges = ((0x30A1, 0x30FA), (0x30FF, 0x30FF), (0xFF65, 0xFF9D))
KANJI: Ranges = ((0x3400, 0x4DB5), (0x4E00, 0x9FEA), (0xF900, 0xFAD9), (0x20000, 0x2EBE0))
PUNCT: Ranges = (
    (0x25A0, 0x25FF), (0x3000, 0x303F), (0x3099, 0x309E), (0x30A0, 0x30A0), (0x30FB, 0x30FE), (0x3200, 0x32FF),
    (0xFF01, 0xFF0F), (0xFF1A, 0xFF20), (0xFF3B, 0xFF40), (0xFF5B, 0xFF64), (0xFF9E, 0xFF9F),
)  # fmt: skip
EVERY: Ranges = ((0, 0x10FFFF),)
CHARSETS: dict[str, Ranges] = {
    "hiragana": HIRAGANA,
    "katakana": KATAKANA,
    "kana": (*HIRAGANA, *KATAKANA),
    "kanji": KANJI,
    "punct": PUNCT,
    "all": EVERY,
}
LIST_MARK = "="  # before characters that are listed


@dataclass(frozen=True)
class Charset:
    """Characters in ranges of code points."""

    ranges: tuple[tuple[int, int], ...]

    @classmethod
    def parse(cls, text: str) -> "Charset":
        """Of names separated by commas, "kana,punct", or of the characters themselves, "=あいう". Raises InputError."""
        if text.startswith(LIST_MARK) and len(text) > 1:
            return cls(tuple((ord(each), ord(each)) for each in text[1:]))
        names = [name.strip() for name in text.split(",")]
        if unknown := [name for name in names if name not in CHARSETS]:
            raise InputError(
                f"no set of characters {unknown[0]!r}; accepted: {', '.join(CHARSETS)}, several separated by commas, "
                f"or {LIST_MARK} and the characters themselves",
                "charset",
            )
        return cls(tuple(each for name in names for each in CHARSETS[name]))

    def __contains__(self, character: str) -> bool:
        return any(first <= ord(character) <= last for first, last in self.ranges)
