"""Which test provokes which message: a plugin of pytest, for `--messages FILE`.

It writes a line of JSON for each template and test, {"template": ..., "test": "tests/test_x.py::test_y"}. Only messages
that are made in the test's own process are seen. `docs_tools.messages` reads the file.
"""

import argparse
import functools
import json
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ctc_ocr.cli.arguments import Parser
from ctc_ocr.datasets.samples import Problem
from ctc_ocr.errors import UserError
from ctc_ocr.serving.refusals import Refusal
from docs_tools.message_sites import PACKAGE, ROOT, Sites
from docs_tools.message_templates import Matcher

# Classes whose method gets a text, and the position of the text among its arguments, `self` being the first.
WATCHED: tuple[tuple[type, str, int], ...] = (
    (UserError, "__init__", 1),
    (Problem, "__init__", 2),
    (Refusal, "__init__", 2),
    (argparse.ArgumentTypeError, "__init__", 1),
    (argparse.ArgumentError, "__init__", 2),
    (Parser, "error", 1),
)


class MessageRecorder:
    """Writes the templates of the messages that are made during each test."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._made: set[tuple[str, int, str]] = set()  # path in the project, line, text
        for owner, name, position in WATCHED:
            setattr(owner, name, self._watching(getattr(owner, name), position))
        handle, note = logging.Logger.handle, self._note

        def handled(self: logging.Logger, record: logging.LogRecord) -> None:
            note(record.pathname, record.lineno, record.getMessage())
            handle(self, record)

        logging.Logger.handle = handled  # type: ignore[method-assign]

    @functools.cached_property
    def _sites(self) -> Sites:
        return Sites()

    @functools.cached_property
    def _matcher(self) -> Matcher:
        return Matcher(self._sites.templates)

    def _watching(self, method: Callable[..., Any], position: int) -> Callable[..., Any]:
        @functools.wraps(method)
        def watched(*args: Any, **kwargs: Any) -> Any:
            frame = sys._getframe(1)
            text = args[position] if len(args) > position else kwargs.get("reason", kwargs.get("message", ""))
            self._note(frame.f_code.co_filename, frame.f_lineno, str(text))
            return method(*args, **kwargs)

        return watched

    def _note(self, path: str, line: int, text: str) -> None:
        file = Path(path)
        if file.is_relative_to(PACKAGE) and file.name != "errors.py":  # which copies errors
            self._made.add((file.relative_to(ROOT).as_posix(), line, text))

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._made.clear()
        yield
        if self._made:
            self._write(item.nodeid.split("[")[0])

    def _write(self, test: str) -> None:
        found: set[str] = set()
        for path, line, text in self._made:
            here = [each for each in self._sites.all if each.path == path and each.first_line <= line <= each.last_line]
            found |= self._matcher.of_site(text, [template for site in here for template in site.templates])
        lines = [json.dumps({"template": template, "test": test}) + "\n" for template in sorted(found)]
        with self._path.open("a", encoding="utf-8") as file:  # whole lines at once: other processes write too
            file.write("".join(lines))
