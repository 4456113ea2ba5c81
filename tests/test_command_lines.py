"""Wrong command lines of every command: one line that says what is wrong, what is accepted, and what was meant."""

import argparse
import importlib
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from ctc_ocr.cli import data, main
from ctc_ocr.cli.arguments import Parser
from ctc_ocr.cli.suggestions import SYNONYMS
from ctc_ocr.datasets.splitting import SplitOptions
from ctc_ocr.errors import InputError
from ctc_ocr.training.settings import LabelledImages
from tests.commands import run_here
from tests.models import save_own_model

ROOT = Path(__file__).resolve().parent.parent
PARSERS = [main.module_of(name).parser() for name in main.COMMANDS if name != "data"]
PARSERS += [data.command_parser(name) for name in data.COMMANDS]

# What was meant is the last thing before the pointer to --help.
MEANT = {
    "train --epochs 3": "--num_epoch",
    "train --epochs=3": "--num_epoch",
    "train --batchsize 3": "--batch_size",
    "train --learningrate 3": "--learning_rate",
    "train --learning-rates 3": "--learning_rate",
    "train --lr 0.1": "--learning_rate",
    "train --out_dir x": "--prefix",
    "train --num_workers 3": "--num_proc",
    "infer --workers 3": "--num_proc",
    "train --device cuda": "--gpu",
    "train --output x": "--prefix",
    "train --epochs 3 --lr 0.1": "--num_epoch --learning_rate",
    "train --preset wrod": "word",
    "train --architecture CRNN": "crnn",
    "train --optimizer adamm": "adam",
    "infer --modle x images": "--model",
    "infer --output x images": "--out",
    "infer --checkpoint x images": "--model",
    "infer --topk 3 images": "--top_k",
    "infer --ink drak images": "dark",
    "evaluate --weights x images": "--model",
    "export --model x out.onnx": "MODEL without --model",
    "serve --model=x": "MODEL without --model",
    "train --font a.ttf": "FONT without --font",
    "evaluate --output x images": "--out",
    "generate --out_dirs x": "--output_dir",
    "generate --renderer fats a.ttf a.png": "fast",
    "data check images --presset word": "--preset",
    "data check images --unicode_form nfc": "NFC",
    "data split images out --fractons 1,0,0": "--fractions",
    "data preview images out.png --rotation 3": "--max_rotation",
    "tran": "train",
    "evalute a b": "evaluate",
    "data chek": "check",
}

# Errors that are about the line alone, and some that are about files.
WRONG = {
    "nothing": "no command 'nothing'; expected one of train, infer, generate, data, evaluate, interpret, lr-find, "
    "bundle, export, serve, info",
    "train --num_epoch many": "--num_epoch: expected an integer, got 'many'",
    "train --num_epoch 0": "--num_epoch: 0 is less than 1",
    "train --learning_rate fast": "--learning_rate: expected a number, got 'fast'",
    "train --learning_rate nan": "--learning_rate: nan is not a finite number",
    "train --data images --validation_fraction 1": "--validation_fraction: expected a number between 0 and 1",
    "train --data images --pattern (": "--pattern: '(': not a regular expression",
    "train --data images --delimiter ab": "--delimiter: expected one character",
    "train --augment yes": "--augment: expected true or false, got 'yes'",
    "train --max_length 100": "--max_length: 100 is too much",
    "train --callback nothing": "no callback 'nothing'; there are: none",
    "train --prefix X nofont.ttf": "nofont.ttf: no such font file or folder",
    "train images": "images: expected a font, and these are images; to train on images, name them with --data",
    "train --prefix images": "--prefix 'images': it is a folder",
    "train --resume": "nothing to resume: there is no ocr-0001.params",
    "train --init_from nothing": "--init_from: nothing: no model under this prefix",
    "train --resume --overwrite": "--overwrite: not allowed with argument --resume",
    "infer": "give either images (files or folders) or --csv with a file that lists them",
    "infer --model ocr images": "--model: ocr: no model under this prefix: expected ocr-0001.params or a later epoch",
    "infer --model nothing images": "--model: nothing: no model under this prefix: expected nothing-0001.params",
    "infer --model images images": "--model: images: 0 models in this folder; expected one",
    "infer --epoch bset images": "--epoch: 'bset' is not a whole number, best or newest",
    "infer --lm_weight 1 images": "--lm_weight: has no effect without --language_model",
    "evaluate": "the following arguments are required: SOURCE",
    "evaluate nothing images": "--model: nothing: no model under this prefix: expected nothing-0001.params",
    "evaluate --model nothing images": "--model: nothing: no model under this prefix: expected nothing-0001.params",
    "evaluate --model a b images": "--model: a: no model under this prefix",
    "evaluate --min_confidence 2 images": "--min_confidence: expected a number from 0 to 1, got '2'",
    "evaluate --overwrite images": "--overwrite: has no effect without --out",
    "generate": "expected FONT and OUTPUT, or --count N --output_dir DIR",
    "generate --output_dir d": "--output_dir needs --count N; see",
    "generate --count 2 --output_dir d --seed -1": "--seed: -1 is not an integer from 0 to",
    "generate --count 2 --output_dir d --width 0": "--width: 0 is less than 1",
    "generate --count 2 --output_dir d --num_proc 5000": "--num_proc: 5000 is more than 1024",
    "generate --count 2 --output_dir d --renderer none": "--renderer: invalid choice: 'none'; accepted: fast, captcha",
    "data nothing": "no command 'nothing'; expected one of check, split, pack, preview",
    "data --json": "no command '--json'; expected one of check, split, pack, preview",
    "data check": "the following arguments are required: SOURCE",
    "data check nothing": "nothing: No such file or directory",
    # Of a shell variable that is not set; without this, the current folder.
    "data check ''": "SOURCE: expected a name, got an empty one",
    "data split images ''": "OUT: expected a name, got an empty one",
    "data pack images ''": "OUT: expected a name, got an empty one",
    "data cut images ''": "OUT: expected a name, got an empty one",
    "data curve ''": "SOURCE: expected a name, got an empty one",
    "evaluate images ''": "SOURCE: expected a name, got an empty one",
    "infer ''": "IMAGE: expected a name, got an empty one",
    "infer images --labels ''": "--labels: expected a name, got an empty one",
    "generate --count 2 --output_dir ''": "--output_dir: expected a name, got an empty one",
    "data check images more": "more: No such file or directory",
    "data split images out more": "unrecognized arguments: more",
    "export": "the following arguments are required: MODEL, OUT.onnx",
    "bundle": "the following arguments are required: OUT.zip",
    "data check images --max_units -1": "--max_units: -1 is less than 0",
    "data check images --overwrite": "--overwrite: has no effect without --write_lookup",
    "data curve images --overwrite": "--overwrite: has no effect without --report",
    "data audit ocr images --overwrite": "--overwrite: has no effect without --out or --sheet",
    "data split images out --counts 0,0,0": "--counts: expected a number above 0 for one of the parts",
    "data split images out --counts 1,2": "--counts: expected 3 numbers, for train, validation, test",
    "data split images out --group ^x(.)": "--group '^x(.)': does not match the name of",
    "data preview images p.png --seed -1": "--seed: -1 is less than 0",
    "data pack images": "the following arguments are required: OUT",
    "lr-find --min_rate 0": "--min_rate: expected a number above 0 and below max_rate, 1; got 0",
    "lr-find --num_updates 3": "--num_updates: 3 is less than 10",
    "lr-find --num_epoch=3": "unrecognized arguments: --num_epoch=3",
    "lr-find --schedule=cosine": "unrecognized arguments: --schedule=cosine",
    "lr-find --views=5": "unrecognized arguments: --views=5",
    "lr-find --label_smoothing=0.1 nofont.ttf": "--label_smoothing: has no effect with architecture lstm",
    "lr-find --freeze=conv0 nofont.ttf": "nofont.ttf: no such font file or folder",
    "lr-find --pattern x": "--pattern: has no effect without --data",
    "lr-find --plot a --csv ./a": "--plot a: is the file of --csv too: use another name",
    "lr-find nofont.ttf": "nofont.ttf: no such font file or folder",
    "train --data tables": ".tiff, .webp. If list.csv lists images, give it in place of the folder",
    "info more": "unrecognized arguments: more",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a folder of labelled images."""
    generate = importlib.import_module("ctc_ocr.cli.generate").main
    assert run_here(generate, tmp_path, "--count=4", "--output_dir=images", "--seed=1").returncode == 0
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables/list.csv").write_text("image,label\nimages/1.png,1\n")
    return tmp_path


def refused(folder: Path, line: str) -> str:
    """The only line that a wrong command line says, without the name of the command."""
    done = run_here(main.main, folder, *shlex.split(line.replace("(", r"\(").replace(")", r"\)")))
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    name, error, said = done.stderr.partition(": error: ")
    assert error
    words = line.split()
    commands = {"data", *main.COMMANDS, *data.COMMANDS} if words[0] == "data" else set(main.COMMANDS)
    length = next((number for number, word in enumerate(words[:2]) if word not in commands), 2)
    assert name == " ".join(["ctc-ocr", *words[: length if words[0] == "data" else min(length, 1)]])
    return said


@pytest.mark.parametrize("line", MEANT)
def test_what_was_meant_is_suggested(line: str, folder: Path) -> None:
    assert f"; did you mean {MEANT[line]}? See ctc-ocr" in refused(folder, line)


@pytest.mark.parametrize("line", WRONG)
def test_a_wrong_line_is_one_line(line: str, folder: Path) -> None:
    before = sorted(folder.iterdir())
    assert WRONG[line] in refused(folder, line)
    assert sorted(path for path in folder.iterdir() if path.name not in ("d", "out")) == before


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("data check l.csv --write_lookup l.csv", "--write_lookup l.csv: would replace SOURCE l.csv"),
        ("data preview l.png l.png", "OUT.png l.png: would replace SOURCE l.png"),
        ("data audit model l.csv --out ./l.csv", "--out l.csv: would replace SOURCE l.csv"),
        ("data audit model images --out model.json", "--out model.json: would replace the model's model.json"),
        ("data audit model l.png --sheet l.png", "--sheet l.png: would replace SOURCE l.png"),
        ("data curve l.csv --report l.csv", "--report l.csv: would replace SOURCE l.csv"),
        ("data curve images --validation l.csv --report l.csv", "--report l.csv: would replace --validation l.csv"),
        ("lr-find --data l.csv --csv l.csv", "--csv l.csv: would replace --data l.csv"),
        ("lr-find --config c.json --data images --plot c.json", "--plot c.json: would replace --config c.json"),
    ],
)  # fmt: skip
def test_no_output_replaces_what_is_read(line: str, said: str, folder: Path) -> None:
    for name in ("l.csv", "l.png", "c.json"):
        (folder / name).write_text("images/000001.png,1\n")
    save_own_model(folder / "model")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert said in refused(folder, f"{line} --overwrite")
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_what_is_far_from_everything_gets_no_suggestion(folder: Path) -> None:
    for line in ("train --zzz 1", "train --preset xyz", "xyz", "data xyz", "info --epochs", "infer --height 3"):
        assert "did you mean" not in refused(folder, line)


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.prog)
def test_every_suggested_flag_is_one_of_the_command(parser: Parser, capsys: pytest.CaptureFixture[str]) -> None:
    shown = {flag for action in parser._actions if action.help != argparse.SUPPRESS for flag in action.option_strings}
    for given, meant in SYNONYMS.items():
        with pytest.raises(SystemExit):
            parser.error(f"unrecognized arguments: --{given}")
        said = capsys.readouterr().err
        wanted = [flag for name in meant if (flag := f"--{name}") in shown]
        suggested = said.partition("did you mean ")[2].partition("?")[0]
        assert suggested in {"", *shown, f"{given.upper()} without --{given}"}
        assert not wanted or suggested == wanted[0] or suggested[2:].replace("_", "") == given, (given, said)


def test_each_synonym_is_of_use() -> None:
    """Its flags exist, and argparse does not already take it for the beginning of one in every command."""
    flags = [set(parser.shown_flags()) for parser in PARSERS]
    for given, meant in SYNONYMS.items():
        for name in meant:
            assert any(f"--{name}" in each for each in flags), (given, name)
        assert any(
            f"--{name}" in each and not any(flag.startswith(f"--{given}") for flag in each)
            for each in flags
            for name in meant
        ), given


def test_a_command_of_commands_alone_lists_them(tmp_path: Path) -> None:
    for arguments, commands in (([], main.COMMANDS), (["data"], data.COMMANDS)):
        done = run_here(main.main, tmp_path, *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert all(f"  {name:<10}{text}\n" in done.stderr for name, text in commands.items())
        assert done.stderr.count("\n") == len(commands) + 2


def test_a_file_of_the_name_of_a_flag_is_not_taken_for_the_flag(tmp_path: Path) -> None:
    """The place of an error is a field only if the user did not type it."""
    assert refused(tmp_path, "data check max_units") == "max_units: No such file or directory\n"


def test_from_python_errors_name_fields() -> None:
    for fraction in (0, 1):
        with pytest.raises(InputError, match="^validation_fraction: expected"):
            LabelledImages("images", validation_fraction=fraction)
    with pytest.raises(InputError, match="^validation_fraction: has no effect with validation, which names other"):
        LabelledImages("images", validation="others", validation_fraction=0.2)
    with pytest.raises(InputError, match="^max_invalid: expected"):
        LabelledImages("images", max_invalid=2)
    with pytest.raises(InputError, match="^counts: expected 3 numbers"):
        SplitOptions(counts=(1, 2))


def test_old_and_new_form_of_evaluate_are_parsed_alike() -> None:
    from ctc_ocr.cli.evaluate import _parse

    for line in ("models/x images", "--model models/x images", "models/x --epoch 3 images", "images --model=models/x"):
        arguments = _parse(line.split())
        assert (arguments.model, arguments.source) == ("models/x", ["images"])
    assert _parse(["images"]).model is None


@pytest.mark.slow
def test_a_closed_pipe_ends_the_count_of_imports_quietly() -> None:
    """It cannot write: the reader has gone before it starts."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.imports"],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=write, stderr=subprocess.PIPE, timeout=60,
    )  # fmt: skip
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_file_whose_name_begins_with_a_hyphen_is_given_with_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-x_2.png").touch()
    with pytest.raises(SystemExit):
        main.main(["infer", "-x_2.png"])
    assert "unrecognized arguments: -x_2.png; did you mean ./-x_2.png? See ctc-ocr infer" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main.main(["infer", "-y_2.png"])
    assert "did you mean" not in capsys.readouterr().err
