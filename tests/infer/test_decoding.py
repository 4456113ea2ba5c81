"""ctc-ocr infer with a search: alternatives, scores, images without a possible text."""

import json

import pytest

from ctc_ocr.cli.infer import main
from tests.infer.outputs import expected
from tests.reading_commands import (
    LISTED,
    MODEL,
    PAIRS,
    SEARCH,
    with_words,
)

pytestmark = pytest.mark.xdist_group("beam_search")  # one process compiles the search, and not two at the same time


@pytest.mark.slow
@pytest.mark.parametrize("flag", PAIRS)
def test_each_decoding_flag_changes_the_predictions(prefix, folder, tmp_path, capsys, flag):
    words = tmp_path / "words.txt"
    words.write_text("".join(f"{prediction.text}\n" for _, prediction in expected(prefix, folder)[::3]))
    printed = []
    for flags in PAIRS[flag]:
        assert main(["--prefix", prefix, *with_words(flags, words), str(folder)]) == 0
        printed.append(capsys.readouterr().out)
        assert len(printed[-1].splitlines()) == 70
    assert printed[0] != printed[1]


def test_alternatives_of_an_image(prefix, folder, tmp_path, capsys):
    image = str(folder / "05.png")
    search = ["--prefix", prefix, *SEARCH]
    assert main([*search, image]) == 0
    best = capsys.readouterr().out
    assert main([*search, "--top_k", "3", image]) == 0
    name, *shown = capsys.readouterr().out.rstrip("\n").split("\t")
    assert name == image
    assert main([*search, "--top_k", "3", "--json", image]) == 0
    alternatives = json.loads(capsys.readouterr().out)["alternatives"]
    assert shown == [f"{each['text']} ({each['log_probability']:.3f})" for each in alternatives]
    assert best == f"Digits: [{', '.join(alternatives[0]['text'])}]\n"
    assert len({each["text"] for each in alternatives}) == 3
    assert "score" not in alternatives[0]
    # A single prediction has its log probability too.
    assert main([*search, "--top_k", "1", "--json", image]) == 0
    assert json.loads(capsys.readouterr().out)["alternatives"] == alternatives[:1]


def test_scores_are_shown_if_they_order_the_predictions(prefix, folder, tmp_path, capsys):
    words = tmp_path / "words.txt"
    words.write_text("0123456789\n")
    for flags in (MODEL, (*SEARCH, "--length_bonus", "2.5")):
        arguments = ["--prefix", prefix, *with_words(flags, words), "--top_k", "3", str(folder / "05.png")]
        assert main([*arguments, "--json"]) == 0
        alternatives = json.loads(capsys.readouterr().out)["alternatives"]
        scores = [each["score"] for each in alternatives]
        assert scores == sorted(scores, reverse=True)
        assert main(arguments) == 0
        shown = capsys.readouterr().out.rstrip("\n").split("\t")[1:]
        assert shown == [f"{e['text']} (score {e['score']:.3f}, {e['log_probability']:.3f})" for e in alternatives]
        if flags != MODEL:
            for each in alternatives:
                assert each["score"] == pytest.approx(each["log_probability"] + 2.5 * len(each["text"]), abs=1e-5)


@pytest.mark.parametrize("flag", [("--top_k", "1"), ("--length_bonus", "0")])
def test_values_that_change_nothing_read_as_without_them(prefix, folder, capsys, monkeypatch, flag):
    """Greedily, without a search for the texts that are unlikely by their length alone."""
    monkeypatch.setattr("ctc_ocr.decoding.beam_search.BeamSearch.decode", None)
    printed = []
    for flags in ((), flag):
        assert main(["--prefix", prefix, *flags, "--json", str(folder)]) == 0
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        printed.append([{**line, "alternatives": None} for line in lines])
    assert printed[0] == printed[1]


def test_no_score_is_shown_where_no_bonus_is_added(prefix, folder, capsys):
    flags = ["--prefix", prefix, *SEARCH, "--top_k", "2", "--length_bonus", "0", "--json", str(folder / "05.png")]
    assert main(flags) == 0
    assert "score" not in json.loads(capsys.readouterr().out)["alternatives"][0]


def test_an_image_without_a_possible_text(prefix, folder, tmp_path, capsys):
    """JSON has no infinity."""
    words = tmp_path / "words.txt"
    words.write_text("0123456789" * 9)
    flags = [*with_words(LISTED, words), "--separators", "", "--top_k", "2", "--json"]
    assert main(["--prefix", prefix, *flags, str(folder / "05.png")]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["alternatives"] == [{"text": "", "log_probability": None}]
