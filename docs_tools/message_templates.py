"""Templates of messages: their text, with a {placeholder} for what is put in; braces of the text itself are doubled."""

import ast
import re
import string
from collections.abc import Iterable, Iterator

# Functions whose last argument is what is shown, and modules of such functions.
TRANSPARENT = {"_shown", "abs", "ascii", "fsdecode", "int", "join", "list", "map", "printable", "repr", "sorted", "str"}
MODULES = {"np", "os", "traceback"}
MIN_LETTERS, MAX_TEXT = 12, 2000
FORMAT = re.compile(r"%(?:%|[-\d.,]*[a-z])")


def name_of(call: ast.Call) -> str:
    """`f` of f(...) and x.f(...)."""
    if isinstance(call.func, ast.Name):
        return call.func.id
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def logged(call: ast.Call) -> list[str]:
    """The template of log.warning("%d of %d ...", count, all)."""
    text = call.args[0] if call.args else None
    if not isinstance(text, ast.Constant) or not isinstance(text.value, str):
        return []
    names = iter(call.args[1:])
    found = FORMAT.sub(lambda each: "%" if each[0] == "%%" else f"{{{word(next(names))}}}", escaped(text.value))
    return [found]


def word(node: ast.expr) -> str:
    """A short name for what is put in."""
    if isinstance(node, ast.Name):
        return node.id.strip("_").lower()
    if isinstance(node, ast.Attribute):
        return word(node.value) if node.attr == "__name__" else node.attr.strip("_")
    if isinstance(node, ast.Call):
        name = name_of(node)
        owner = ast.unparse(node.func.value) if isinstance(node.func, ast.Attribute) else ""
        if node.args and (name in TRANSPARENT or owner in MODULES):
            return word(node.args[-1])
        if name in ("len", "sum", "max", "min"):
            return "number"
        if isinstance(node.func, ast.Attribute) and owner != "self":
            return word(node.func.value)
        return name.strip("_") or word(node.func)
    for inner in ("value", "left", "elt", "body", "operand"):
        if isinstance(child := getattr(node, inner, None), ast.expr):
            return word(child)
    return word(node.values[0]) if isinstance(node, ast.BoolOp) else "value"


def escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def pieces(template: str) -> Iterator[tuple[str, str | None]]:
    """The text before each placeholder and its name, None for the text after the last one."""
    for text, name, _, _ in string.Formatter().parse(template):
        yield text, name


def has_text(template: str) -> bool:
    """Whether there are words in it beside the placeholders."""
    return bool(re.search(r"[^\W\d_]{2}", "".join(text for text, _ in pieces(template))))


def shape(template: str) -> str:
    """The template without the names of its placeholders."""
    return "".join(escaped(text) + ("" if name is None else "{}") for text, name in pieces(template))


def pattern(template: str) -> re.Pattern[str]:
    """Matches the messages of a template."""
    parts = (re.escape(text) + ("" if name is None else "(.*)") for text, name in pieces(template))
    return re.compile("".join(parts), re.DOTALL)


class Matcher:
    """Finds the templates of a message."""

    def __init__(self, templates: Iterable[str]) -> None:
        self._patterns = {each: pattern(each) for each in templates}

    def of_site(self, text: str, templates: Iterable[str]) -> set[str]:
        """Which of the templates of a site the text has, and those of the other messages that are put into it."""
        found = self._best(text, templates)
        return self.of_text(text) if found is None else {found} | self._put_in(text, found)

    def of_text(self, text: str) -> set[str]:
        """The same for a text whose site makes none of its own. Short templates would match by chance."""
        long = (each for each in self._patterns if num_letters(each) >= MIN_LETTERS or "{" not in each)
        found = self._best(text, long)
        return set() if found is None else {found} | self._put_in(text, found)

    def _best(self, text: str, templates: Iterable[str]) -> str | None:
        """The one with the most letters of its own."""
        fitting = [each for each in templates if self._patterns[each].fullmatch(text[:MAX_TEXT])]
        return max(fitting, key=num_letters, default=None)

    def _put_in(self, text: str, template: str) -> set[str]:
        match = self._patterns[template].fullmatch(text[:MAX_TEXT])
        groups = match.groups() if match else ()
        return {found for group in groups if group and " " in group and group != text for found in self.of_text(group)}


def num_letters(template: str) -> int:
    return sum(map(str.isalpha, "".join(text for text, _ in pieces(template))))
