"""An extension of griffe: lines `name: what it is` at the start of a docstring's paragraph become a list."""

import re
from typing import Any

import griffe

FIELD = re.compile(r"(?P<names>\*{0,2}\w+(?:, \w+)*): \S")


class FieldLists(griffe.Extension):
    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring:
            obj.docstring.value = with_lists(obj.docstring.value)


def with_lists(docstring: str) -> str:
    """The docstring as Markdown: paragraphs of fields as lists, other paragraphs unchanged."""
    return "\n\n".join(_as_list(paragraph) for paragraph in docstring.split("\n\n"))


def _as_list(paragraph: str) -> str:
    lines = paragraph.splitlines()
    if not lines or not FIELD.match(lines[0]):
        return paragraph
    made = []
    for line in lines:
        field = FIELD.match(line)
        if field:
            names = ", ".join(f"`{name}`" for name in field["names"].split(", "))
            made.append(f"- {names}{line[field.end('names') :]}")
        else:
            made.append(f"  {line.strip()}")
    return "\n".join(made)
