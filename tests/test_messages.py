"""The table of messages (docs_tools/messages.toml) has every message of the package, and what is said of it is true."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from docs_tools import messages
from docs_tools.cli_reference import parsers
from docs_tools.message_sites import Sites
from docs_tools.message_templates import Matcher, pieces, shape

ROOT = Path(__file__).resolve().parent.parent
OF_PIP = {"--upgrade", "--force-reinstall"}


@pytest.fixture(scope="module")
def sites() -> Sites:
    return Sites()


@pytest.fixture(scope="module")
def rows() -> list[messages.Row]:
    return messages.read_rows()


def test_every_message_has_one_row_and_every_row_a_message(sites: Sites, rows: list[messages.Row]) -> None:
    in_table = [row.template for row in rows]
    assert len(set(in_table)) == len(in_table)
    assert set(sites.templates) - set(in_table) == set(), "`python -m docs_tools.messages` tells what is missing"
    assert set(in_table) - set(sites.templates) == set()


def test_each_row_has_a_cause_and_a_remedy_in_sentences(rows: list[messages.Row]) -> None:
    for row in rows:
        for text in (row.cause, row.remedy):
            assert re.fullmatch(r"[\"A-Z`].{7,}[.)]", text), row
        assert row.cause != row.remedy


def test_the_file_is_as_it_is_written(rows: list[messages.Row], tmp_path: Path) -> None:
    messages.write_rows(reversed(rows), tmp_path / "again.toml")
    again = messages.read_rows(tmp_path / "again.toml")
    assert set(again) == set(rows)
    messages.write_rows(rows, tmp_path / "again.toml")
    assert (tmp_path / "again.toml").read_bytes() == messages.TABLE.read_bytes()


def test_flags_and_commands_in_the_table_exist(rows: list[messages.Row]) -> None:
    known = {flag for parser in parsers() for action in parser._actions for flag in action.option_strings}
    programs = {parser.prog for parser in parsers()}
    for row in rows:
        text = f"{row.cause} {row.remedy}"
        assert set(re.findall(r"--\w[\w-]*", text)) <= known | OF_PIP, row
        for command in re.findall(r"ctc-ocr ((?:data )?[a-z_-]+)", text):
            assert f"ctc-ocr {command}" in programs, row


def test_each_named_test_exists_and_each_message_has_one(rows: list[messages.Row]) -> None:
    assert [row.test for row in rows if row.test and not messages.exists(row.test)] == []
    assert [row.template for row in rows if not row.test] == []


def test_the_page_has_every_message_and_escapes_it(rows: list[messages.Row]) -> None:
    page = "\n".join(messages.described(rows))
    assert page.count("<tr><td>") == len(rows)
    assert "(?P&lt;label&gt;.*?)" in page
    assert messages.shown("no {num_images} in {{x}} <\n{strerror}") == (
        "no <var>num images</var> in {x} &lt;<br><var>the system's reason</var>"
    )


PLANTED = """
    from somewhere import InputError, log

    WHERE = "in the house"

    def refused(reason: str, name: str) -> InputError:
        return InputError(f"{reason} ({name!r}), and stays")

    def check(value, error, is_new):
        if value:
            raise refused(f"{value:,} is too much", value)
        kind = "a new one" if is_new else "an old one"
        log.warning("%s is %d %% full", value.name, 3)
        try:
            raise InputError(f"{kind} {WHERE} has {len(value)} of {', '.join(map(repr, value))}, {{so}}")
        except OSError as error:
            raise InputError(error.strerror or str(error)) from None
        raise InputError(str(error)).within(value)

    def size_reason(size):
        return f"of {size} pixels" if size else ""
"""


def test_templates_of_planted_messages(tmp_path: Path) -> None:
    package = tmp_path / "ctc_ocr"
    package.mkdir()
    errors = "class UserError(Exception):\n    pass\n\n\nclass InputError(UserError):\n    pass\n"
    (package / "errors.py").write_text(errors)
    (package / "planted.py").write_text(dedent(PLANTED))
    assert Sites(package).templates == [
        "{value} is too much ({name}), and stays",
        "{name} is {value} % full",
        "a new one in the house has {number} of {value}, {{so}}",
        "an old one in the house has {number} of {value}, {{so}}",
        "{strerror}",
        "of {size} pixels",
    ]


def test_a_message_is_found_by_its_text() -> None:
    matcher = Matcher(["the file is broken: {error}", "it has {number} words too many", "no", "{strerror}"])
    assert matcher.of_text("the file is broken: it has 3 words too many") == {
        "the file is broken: {error}",
        "it has {number} words too many",
    }
    assert matcher.of_text("no") == {"no"}
    assert matcher.of_text("nothing") == set()
    assert matcher.of_site("No such file", ["{strerror}"]) == {"{strerror}"}
    assert shape("a {b} {{c}}") == "a {} {{c}}"
    assert list(pieces("a {b} {{c}}")) == [("a ", "b"), (" {", None), ("c}", None)]


def test_tests_are_filled_in_and_stay() -> None:
    here = "tests/test_messages.py::"
    kept, wide, narrow = (here + name for name in (
        "test_a_message_is_found_by_its_text",
        "test_each_named_test_exists_and_each_message_has_one",
        "test_tests_are_filled_in_and_stay",
    ))  # fmt: skip
    rows = [messages.Row("g", name, "", "", test) for name, test in (("a", kept), ("b", here + "gone"), ("c", ""))]
    recorded = [("a", narrow), ("b", wide), ("b", narrow), ("a", wide), ("c", wide), ("b", here + "gone")]
    assert [row.test for row in messages.with_tests(rows, recorded)] == [kept, narrow, wide]
    assert [row.test for row in messages.with_tests(rows, [])] == [kept, "", ""]


@pytest.mark.slow
def test_a_run_with_the_recorder_tells_which_test_provokes_a_message(tmp_path: Path) -> None:
    """The message of an InputError, and one of the values that another function gives it."""
    file, test = tmp_path / "found.jsonl", "tests/test_lengths.py::test_parse_refuses"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--messages", str(file), test]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ}, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    template = "expected a length such as 5, a range such as 4-6, or any; got {text}"
    assert {"template": template, "test": test} in lines
    assert {line["test"] for line in lines} == {test}
