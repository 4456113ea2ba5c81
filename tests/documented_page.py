"""What a page of the documentation shows, in its order: commands, Python and files. As a program, it runs them.

A page has one process for all of it, so that MXNet is imported once per page.
"""

import contextlib
import importlib
import io
import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```', re.DOTALL | re.MULTILINE)
COMMANDS = {
    "ctc-ocr": "main",
    "lstm_ocr_train": "train",
    "lstm_ocr_infer": "infer",
    "captcha_generator": "generate",
}
# The same trainings, made short.
SHORT_RUN = ["--samples_per_epoch=32", "--batch_size=16"]
ALL_ROWS = ["--top_edge=0", "--bottom_edge=1", "--grey=luminance"]  # else the starter looks for them, for seconds
LONG_PYTHON = '"num_epoch": 2'
SHORT_PYTHON = '"num_epoch": 1, "samples_per_epoch": 32, "batch_size": 16, "validation_samples": 16'


@dataclass(frozen=True)
class Step:
    """A command, Python code, or (with a name) a file to write."""

    kind: str  # of the block: console, python, or another
    text: str
    name: str = ""


def steps(markdown: str) -> list[Step]:
    """Everything that a page wants to have run or written. Blocks of other kinds without a title are only shown."""
    found = []
    for kind, name, text in BLOCK.findall(markdown):
        if kind == "console":
            found += [Step(kind, line[2:]) for line in text.splitlines() if line.startswith("$ ")]
        elif name or kind == "python":
            found.append(Step(kind, text, name))
    return found


def shortened(command: str, arguments: list[str]) -> list[str]:
    """A command that trains with few images and one epoch, or one more if it resumes."""
    if arguments[:1] == ["lr-find"]:
        return [*arguments, "--num_updates=100"]
    if arguments[:2] in (["data", "audit"], ["data", "curve"]):
        return [*arguments, "--num_epoch=1", "--folds=2", *SHORT_RUN, *ALL_ROWS]
    if "train" not in (*arguments[:1], command.removeprefix("lstm_ocr_")):
        return arguments
    captchas = ALL_ROWS if "--data" in arguments else ["--validation_samples=16"]
    return [*arguments, f"--num_epoch={2 if '--resume' in arguments else 1}", *SHORT_RUN, *captchas]


def run(step: Step) -> None:
    """Raises an exception, or exits, if it does not work."""
    if step.name:
        Path(step.name).write_text(step.text, encoding="utf-8")
    elif step.kind == "python":
        exec(compile(step.text.replace(LONG_PYTHON, SHORT_PYTHON), "<page>", "exec"), {"__name__": "__main__"})
    else:
        run_command(*shlex.split(step.text))


def run_command(command: str, *arguments: str) -> None:
    main = importlib.import_module(f"ctc_ocr.cli.{COMMANDS[command]}").main
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        status = main(shortened(command, list(arguments)))
    if status:
        sys.exit(f"exit status {status}\n{output.getvalue()}")
    writes_files = {"--out", "--txt"} & set(arguments)
    if "infer" in (*arguments[:1], command) and not writes_files and not output.getvalue().strip():
        sys.exit("nothing was printed")


if __name__ == "__main__":
    for number, each in enumerate(steps(Path(sys.argv[1]).read_text(encoding="utf-8")), start=1):
        print(f"step {number}: {each.name or each.text}", file=sys.stderr, flush=True)
        run(each)
