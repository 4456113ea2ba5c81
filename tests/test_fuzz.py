"""The fuzzers: a short run of each target, and what they see. `make fuzz` is the long run."""

import os
import random
import time
from pathlib import Path

import pytest

from fuzz import supervision
from fuzz.__main__ import main
from fuzz.child import GOOD, input_number
from fuzz.mutations import MAX_BYTES, Files, changed_bytes, changed_json, changed_png, changed_zip
from fuzz.supervision import fuzz
from fuzz.targets import TARGETS, Run, Target

INPUTS = 25  # of each target: a few seconds, most of which is the start of the process


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_but_results_and_refusals(target: str, tmp_path: Path) -> None:
    report = fuzz(target, INPUTS, seed=random.SystemRandom().randrange(10**6), kept=tmp_path)
    assert [kind for kind in report.counts if kind not in GOOD] == [], report
    assert report.inputs == INPUTS


def test_inputs_depend_on_the_seed_and_their_number_alone() -> None:
    target = TARGETS["image"]
    valid = target.valid()
    made = [input_number(target, valid, "image", 1, number)["input"] for number in range(20)]
    again = [input_number(target, target.valid(), "image", 1, number)["input"] for number in range(20)]
    assert made == again
    assert len(set(made)) > 15
    assert made != [input_number(target, valid, "image", 2, number)["input"] for number in range(20)]


@pytest.mark.parametrize("change", [changed_bytes, changed_json, changed_png, changed_zip])
@pytest.mark.parametrize("content", [b"", b"a", b'{"a": [1, 2.5, "x"]}', b"PK\3\4", bytes(100)])
def test_any_content_can_be_changed(change, content: bytes) -> None:
    for number in range(200):
        assert len(change(random.Random(number), content)) <= MAX_BYTES


# --- what is seen ---------------------------------------------------------------------------------------------------


def planted() -> list[Files]:
    return [{"input": b"\0"}]


def plant(folder: Path) -> Run:
    """A reader that fails in each way, by the byte of its input."""

    def read(folder: Path) -> object:
        code = (folder / "input").read_bytes()[0]
        if code == 1:
            raise KeyError("planted")
        if code == 2:
            return bytearray(2**31)
        if code == 3:
            os.abort()
        while code == 4:
            time.sleep(0)
        return None

    return read


PLANTED = Target(
    "tests.test_fuzz:planted", "tests.test_fuzz:plant", {"input": [lambda rng, _: bytes([rng.choice((0, 1, 2, 3, 4))])]}
)
KINDS = {1: "exception: KeyError", 2: "memory", 3: "ended by signal 6", 4: "hang"}


@pytest.mark.slow
def test_every_kind_of_failure_is_seen_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In real processes, which are replaced when they end."""
    name, codes = "tests.test_fuzz:PLANTED", list[int]()
    while set(codes) != {0, *KINDS}:
        codes.append(input_number(PLANTED, planted(), name, 0, len(codes))["input"][0])
    monkeypatch.setattr(supervision, "SECONDS", 1.0)
    report = fuzz(name, len(codes), kept=tmp_path)
    assert report.inputs == len(codes)
    assert report.counts["result"] == codes.count(0)
    for code, kind in KINDS.items():
        found = next(path for shown, path in report.found.items() if shown.startswith(kind))
        assert (found / "input").read_bytes() == bytes([code])
        assert found.name == f"PLANTED-0-{codes.index(code)}"


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--inputs", "20", "--out", str(tmp_path), "lookup"]) == 0
    assert capsys.readouterr().out.startswith("lookup: 20 inputs: ")
    with pytest.raises(SystemExit):
        main(["nonsense"])
    assert "no target nonsense; there are: image, symbol" in capsys.readouterr().err


def test_ctrl_c_prints_what_was_found(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(target: str, inputs: int, seed: int, kept: Path, first: int, report: supervision.Report) -> None:
        report.counts[next(iter(GOOD))] += 3
        raise KeyboardInterrupt

    monkeypatch.setattr("fuzz.__main__.fuzz", interrupted)
    assert main(["csv", "image"]) == 130
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("csv: 3 inputs: 3 ")
    assert lines[1:] == ["interrupted"]
