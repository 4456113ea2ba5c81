"""The table of all messages: a hook of MkDocs puts it into reference/messages.md, and a command keeps it whole.

What is said of each message is written by hand in messages.toml: its cause, what to do, and the test that provokes it.
Messages are found in the source by message_sites.py, and a test compares the two.

    python -m docs_tools.messages                    # which messages have no row, which rows no message, which no test
    python -m docs_tools.messages --tests FILE ...   # fills in the tests from what a run of the suite has recorded

A run of the suite records with `--messages`; several runs may add to one file, and so do the processes of xdist:

    python -m pytest -n 2 --messages build/messages.jsonl && python -m docs_tools.messages --tests build/messages.jsonl

A test that exists and is in the table stays there. Only what a test's own process does is recorded, not its commands.
"""

import argparse
import ast
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # mkdocs is run in the checkout

from docs_tools.message_sites import ROOT, Sites  # noqa: E402
from docs_tools.message_templates import pieces, shape  # noqa: E402

PAGE, MARKER = "reference/messages.md", "<!-- messages -->"
TABLE = Path(__file__).with_name("messages.toml")


@dataclass(frozen=True)
class Row:
    """A message and what is said of it. group: what the user was doing; test: file::function, or "" for none."""

    group: str
    template: str
    cause: str
    remedy: str
    test: str


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    return markdown.replace(MARKER, "\n".join(described(read_rows()))) if page.file.src_uri == PAGE else markdown


def read_rows(path: Path = TABLE) -> list[Row]:
    return [Row(**values) for values in tomllib.loads(path.read_text(encoding="utf-8"))["message"]]


def write_rows(rows: Iterable[Row], path: Path = TABLE) -> None:
    """Strings of JSON are strings of TOML."""
    texts = (
        "\n".join(f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in asdict(row).items())
        for row in in_order(rows)
    )
    path.write_text("".join(f"[[message]]\n{text}\n\n" for text in texts).rstrip("\n") + "\n", encoding="utf-8")


def in_order(rows: Iterable[Row]) -> list[Row]:
    """Groups in the order of their first rows, and messages by their first words."""
    rows = list(rows)
    groups = list(dict.fromkeys(row.group for row in rows))
    return sorted(rows, key=lambda row: (groups.index(row.group), first_words(row.template)))


def first_words(template: str) -> str:
    text = "".join(text for text, _ in pieces(template)).lower()
    return re.sub(r"^[^\w-]+", "", text) or template


def described(rows: Iterable[Row]) -> Iterator[str]:
    """Markdown with a heading and a table for each group. A table is HTML, as messages have the signs of Markdown."""
    for group, of_group in groupby(rows, key=lambda row: row.group):
        yield f"## {group}\n"
        yield "<table>\n<thead><tr><th>Message</th><th>Cause</th><th>What to do</th></tr></thead>\n<tbody>"
        for row in of_group:
            yield f"<tr><td>{shown(row.template)}</td><td>{marked(row.cause)}</td><td>{marked(row.remedy)}</td></tr>"
        yield "</tbody>\n</table>\n"


def shown(template: str) -> str:
    """A template as HTML: what is put in in italics."""
    names = {"strerror": "the system's reason"}
    parts = (
        escape(text, quote=False) + ("" if name is None else f"<var>{names.get(name, name).replace('_', ' ')}</var>")
        for text, name in pieces(template)
    )
    return "".join(parts).replace("\n", "<br>")


def marked(text: str) -> str:
    """A sentence as HTML."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))


@cache
def functions_of(path: Path) -> frozenset[str]:
    """The names of the functions and methods of a file; none if it does not exist."""
    if not path.is_file():
        return frozenset()
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return frozenset(node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def exists(test: str) -> bool:
    file, _, function = test.partition("::")
    return function.rpartition("::")[2] in functions_of(ROOT / file)


def with_tests(rows: Iterable[Row], recorded: Iterable[tuple[str, str]]) -> list[Row]:
    """The rows with a test each, from (template, test) pairs, whatever the placeholders are called: of the tests that
    provoke a message, the first of those that provoke the fewest others. A test that is there stays if it exists."""
    pairs = {(shape(template), test) for template, test in recorded if exists(test)}
    breadth = Counter(test for _, test in pairs)
    tests = defaultdict(list)
    for template, test in pairs:
        tests[template].append(test)
    found = {template: min(of, key=lambda test: (breadth[test], test)) for template, of in tests.items()}
    return [row if exists(row.test) else replace(row, test=found.get(shape(row.template), "")) for row in rows]


def recorded_in(paths: Iterable[Path]) -> Iterator[tuple[str, str]]:
    for path in paths:
        for line in path.read_text(encoding="utf-8").splitlines():
            values = json.loads(line)
            yield values["template"], values["test"]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m docs_tools.messages", description="Keep the table of messages.")
    parser.add_argument("--tests", metavar="FILE", type=Path, nargs="+", default=[], help="what runs have recorded")
    rows = with_tests(read_rows(), recorded_in(parser.parse_args(argv).tests))
    write_rows(rows)
    templates, in_table = set(Sites().templates), {row.template for row in rows}
    wrong = [f"no row: {each}" for each in sorted(templates - in_table)]
    wrong += [f"no message: {each}" for each in sorted(in_table - templates)]
    print("\n".join([*wrong, *(f"no test: {row.template}" for row in rows if not row.test)]))
    print(f"{len(rows)} rows, {sum(not row.test for row in rows)} without a test")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
