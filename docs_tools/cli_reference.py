"""A hook of MkDocs: the reference of the command line, made of the commands' own argparse parsers.

The page reference/cli.md has the marker `<!-- commands -->` where the reference goes.
"""

import argparse
import importlib
import sys
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from mkdocs.structure.pages import Page

PAGE, MARKER = "reference/cli.md", "<!-- commands -->"
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # mkdocs is run in the checkout


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    if page.file.src_uri != PAGE:
        return markdown
    return markdown.replace(MARKER, "\n".join(line for parser in parsers() for line in described(parser)))


def parsers() -> Iterator[argparse.ArgumentParser]:
    """The parser of each command; in place of a parser of subcommands, theirs."""
    main = importlib.import_module("ctc_ocr.cli.main")
    for name in main.COMMANDS:
        parser = main.module_of(name).parser()
        yield from subparsers(parser) or [parser]


def subparsers(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    """Each subcommand's parser, if there are any."""
    actions = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return [each for action in actions for each in action.choices.values()]


def described(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Markdown of one command: a heading, its usage, and a list of flags for each group."""
    yield f"## {parser.prog}\n"
    yield f"{parser.description}\n"
    yield f"```text\n{usage(parser)}\n```\n"
    rivals = exclusive(parser)
    for group in parser._action_groups:
        actions = [each for each in group._group_actions if each.help != argparse.SUPPRESS]
        if not actions:
            continue
        yield from heading(parser, group.title or "")
        yield '<dl class="flags">'
        for action in actions:
            yield f'<dt id="{slug(parser.prog, action.dest)}">{names(action)}</dt>'
            yield f"<dd>{explained(action, parser, rivals)}</dd>"
        yield "</dl>\n"


def heading(parser: argparse.ArgumentParser, title: str) -> Iterator[str]:
    """That of a group, and what it has in parentheses as a line below; none for argparse's own two groups."""
    if title in ("positional arguments", "options"):
        return
    name, _, remark = title.partition(" (")
    yield f"### {name[0].upper()}{name[1:]} {{ #{slug(parser.prog, name)} }}\n"
    if remark:
        yield f"{remark[0].upper()}{remark[1:].removesuffix(')')}.\n"


def slug(*words: str) -> str:
    """An anchor, such as ctc-ocr-train-num_proc."""
    return "-".join("".join(each if each.isalnum() or each == "_" else "-" for each in word) for word in words)


def usage(parser: argparse.ArgumentParser) -> str:
    """The parser's own usage, if it was written by hand; else only its arguments, as all flags would be too many."""
    if parser.usage:
        return (parser.usage % {"prog": parser.prog}).replace("\n       ", "\n")
    arguments = [action for action in parser._actions if not action.option_strings]
    formatter = parser._get_formatter()
    return " ".join([parser.prog, *(formatter._format_args(each, _name(each)) for each in arguments), "[options]"])


def _name(action: argparse.Action) -> str:
    return str(action.metavar or action.dest.upper())


def names(action: argparse.Action) -> str:
    """The flag as it is written, with what follows it."""
    if not action.option_strings:
        return f"<code>{escape(_name(action))}</code>"
    value = ""
    if action.nargs != 0:
        many = " ..." if action.nargs in ("+", "*") else ""
        value = f" <var>{escape(_name(action))}{many}</var>"
    return ", ".join(f"<code>{escape(flag)}</code>" for flag in action.option_strings) + value


def explained(
    action: argparse.Action, parser: argparse.ArgumentParser, rivals: dict[argparse.Action, list[argparse.Action]]
) -> str:
    """Help (with its default), choices, and the flags that it cannot be used with, as HTML."""
    text = escape(parser._get_formatter()._expand_help(action)) if action.help else ""
    parts = [f"{text[:1].upper()}{text[1:]}."]
    if action.choices is not None:
        choices = ", ".join(f"<code>{escape(str(each))}</code>" for each in action.choices)
        parts.append(f"One of {choices}.")
    if action in rivals:
        others = ", ".join(f"<code>{escape(each.option_strings[0])}</code>" for each in rivals[action])
        parts.append(f"Not together with {others}.")
    return " ".join(parts)


def exclusive(parser: argparse.ArgumentParser) -> dict[argparse.Action, list[argparse.Action]]:
    """For each action, the visible others that it excludes."""
    found: dict[argparse.Action, list[argparse.Action]] = {}
    for group in parser._mutually_exclusive_groups:
        visible = [each for each in group._group_actions if each.help != argparse.SUPPRESS]
        for action in visible:
            if others := [each for each in visible if each is not action]:
                found[action] = others
    return found
