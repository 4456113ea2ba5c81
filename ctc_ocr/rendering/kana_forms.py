"""The forms that kana have in old Japanese books: variants, and the Chinese characters that they were simplified from.

Until 1900 a syllable was written with any of several kana. Unicode has them as hentaigana (Kana Supplement and Kana
Extended-A, U+1B002 to U+1B11E), under names that say how each is read. In running hand, kana are their Chinese
characters written fast: a font of cursive Chinese characters has forms that fonts of kana do not have.
"""

import functools
import unicodedata
from collections.abc import Mapping

HENTAIGANA = range(0x1B002, 0x1B11F)
NAME = "HENTAIGANA LETTER "
VOICED, HALF_VOICED = "゛", "゜"  # the marks as characters of their own, which fonts have
MARKS = {"\u3099": VOICED, "\u309a": HALF_VOICED}  # by the combining characters of decompositions

# Each kana and the Chinese characters that it was written with.
_GROUPS = """
    あ安悪愛阿 い以伊意移 う宇有憂 え衣江盈 お於隠
    か加可家我閑賀 き幾起支喜木 く久具九求倶 け計介希気遣 こ己古故許
    さ左佐散沙 し之志新事四 す寸須春数寿 せ世勢聲 そ曽所楚蘇
    た太多堂當田 ち知千地遅致 つ川徒津都 て天帝亭轉弖 と止登度東斗
    な奈那名難南 に仁尓爾耳丹児二 ぬ奴怒努 ね祢年根子 の乃能農濃
    は波者八盤葉半 ひ比飛日悲非 ふ不婦布風 へ部遍邊弊 ほ保本報寶
    ま末万満萬麻 み美見三身 む武無舞牟 め女免面馬 も毛母茂裳
    や也夜屋耶 ゆ由遊 よ与代余
    ら良羅 り利里李理 る留流類累 れ礼連麗 ろ呂路露
    わ和王 ゐ為井遺 ゑ恵衛 を遠越乎 ん无
"""
ORIGINS = {group[0]: group[1:] for group in _GROUPS.split()}


@functools.cache
def hentaigana() -> Mapping[str, tuple[str, ...]]:
    """The hentaigana of each hiragana, by Unicode's names: "HENTAIGANA LETTER KA-3" is read か; one with two readings,
    such as N-MU-MO-1, belongs to each of them."""
    readings = {unicodedata.name(each).removeprefix("HIRAGANA LETTER "): each for each in ORIGINS}
    found: dict[str, list[str]] = {}
    for character in map(chr, HENTAIGANA):
        for reading in unicodedata.name(character, "").removeprefix(NAME).split("-"):
            if reading in readings:
                found.setdefault(readings[reading], []).append(character)
    return {kana: tuple(forms) for kana, forms in found.items()}


def forms(character: str) -> tuple[tuple[tuple[str, ...], ...], str]:
    """The characters that a character may look like, in groups: itself; its hentaigana; its Chinese characters. And
    the mark that those of the later groups need beside them: that of a voiced or half-voiced kana, or "".
    """
    base, mark = _base(character)
    groups = ((character,), hentaigana().get(base, ()), tuple(ORIGINS.get(base, "")))
    return tuple(group for group in groups if group), mark


def _base(character: str) -> tuple[str, str]:
    """A hiragana without its mark, and the mark. Others are as they are: katakana have no such variants."""
    base, *marks = list(unicodedata.normalize("NFD", character))
    if base in ORIGINS and len(marks) == 1 and marks[0] in MARKS:
        return base, MARKS[marks[0]]
    return character, ""
