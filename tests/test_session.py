"""Training from Python: the same as the command, from scripts of any kind, with parts of one's own."""

import json
import logging
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ctc_ocr
from ctc_ocr.checkpoint.run_files import epochs, existing_files
from ctc_ocr.cli.train import main as command
from ctc_ocr.runtime.run_lock import locked_prefix
from ctc_ocr.training.events import BatchEnd, EpochEnd

ROOT = Path(__file__).resolve().parent.parent
SETTINGS: dict[str, dict[str, Any]] = {
    "data": {"alphabet": "01", "min_length": 1, "max_length": 2, "draw_width": 80, "width": 40, "height": 20,
             "renderer": "captcha"},
    "network": {"num_layers": 1, "num_hidden": 16},
    "training": {
        "batch_size": 8, "num_epoch": 2, "samples_per_epoch": 64, "validation_samples": 16, "warmup_updates": 2,
    },
}  # fmt: skip


def small(**training: Any) -> ctc_ocr.Hyperparameters:
    return ctc_ocr.preset("lstm", SETTINGS, training=training)


def python(folder: Path, code: str, how: str = "file") -> "subprocess.CompletedProcess[str]":
    """Run a script as a file, as `python -c`, or from stdin."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    text = textwrap.dedent(code)
    (folder / "script.py").write_text(text, encoding="utf-8")
    arguments = {"file": ["script.py"], "-c": ["-c", text], "stdin": ["-"]}[how]
    given = text if how == "stdin" else None
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        input=given,
    )


def test_python_and_the_command_train_the_same_parameters(tmp_path: Path, ubuntu_font: str) -> None:
    result = ctc_ocr.train(small(), ctc_ocr.Captchas(ubuntu_font), str(tmp_path / "python"), cpu=1, num_proc=1)
    assert (result.finished, result.newest_epoch, len(result.history)) == (True, 2, 2)
    assert result.best_epoch in (1, 2)
    assert result.cer == result.history[result.best_epoch - 1].validation_cer
    (tmp_path / "config.json").write_text(json.dumps(SETTINGS))
    assert command([ubuntu_font, f"--config={tmp_path / 'config.json'}", f"--prefix={tmp_path / 'command'}",
                    "--cpu=1", "--num_proc=1"]) == 0  # fmt: skip
    for epoch in (1, 2):
        one, other = ((tmp_path / f"{name}-{epoch:04d}.params").read_bytes() for name in ("python", "command"))
        assert one == other


@pytest.mark.slow
def test_labelled_images_from_python(tmp_path: Path, ubuntu_font: str) -> None:
    from ctc_ocr.cli.generate import main as generate

    photos = tmp_path / "photos"
    assert generate(["--count=20", "--alphabet=ab", "--output_dir", str(photos), ubuntu_font]) == 0
    settings = ctc_ocr.preset(
        "word", data={"height": 16, "width": 64}, network={"features": (4,), "kernels": (3,), "strides": (1,),
        "pool_heights": (4,), "pool_widths": (4,), "num_hidden": 8}, training={"num_epoch": 1, "batch_size": 4},
    )  # fmt: skip
    ctc_ocr.train(settings, photos, str(tmp_path / "python"), cpu=1, num_proc=1)
    stored = json.loads((tmp_path / "python.json").read_text())
    assert stored["alphabet"] == {"a": 1, "b": 2}
    (tmp_path / "config.json").write_text(json.dumps(stored["hyperparameters"]))
    assert command([f"--data={photos}", f"--config={tmp_path / 'config.json'}", f"--prefix={tmp_path / 'command'}",
                    "--cpu=1", "--num_proc=1"]) == 0  # fmt: skip
    assert (tmp_path / "python-0001.params").read_bytes() == (tmp_path / "command-0001.params").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("how", ["file", "-c", "stdin"])
def test_a_script_without_a_main_guard_and_with_its_own_renderer(tmp_path: Path, how: str) -> None:
    """Image processes do not run the script again, and get its classes by value."""
    code = f"""
        import cv2, numpy as np
        import ctc_ocr

        print("started")

        class Hershey(ctc_ocr.Renderer):
            def render(self, text, generator):
                image = np.full((40, 80), 230, np.uint8)
                cv2.putText(image, text, (4, 30), cv2.FONT_HERSHEY_SIMPLEX, generator.uniform(0.8, 1), 40, 2)
                return image

        settings = ctc_ocr.preset("lstm", {SETTINGS!r}, data={{"alphabet": "xyz"}}, training={{"num_epoch": 1}})
        result = ctc_ocr.train(settings, ctc_ocr.Captchas(renderer=Hershey()), "ocr", cpu=1, num_proc=2)
        print(result.newest_epoch)
    """
    done = python(tmp_path, code, how)
    assert (done.returncode, done.stdout.split()) == (0, ["started", "1"]), done.stderr
    assert json.loads((tmp_path / "ocr.json").read_text())["alphabet"] == {"x": 1, "y": 2, "z": 3}


def test_callbacks_get_the_events_and_context_managers_are_entered(tmp_path: Path, ubuntu_font: str) -> None:
    class Recorder:
        def __init__(self) -> None:
            self.kinds: list[str] = []

        def __enter__(self) -> "Recorder":
            self.kinds.append("enter")
            return self

        def __exit__(self, *error: object) -> None:
            self.kinds.append("exit")

        def __call__(self, event: object) -> None:
            self.kinds.append(type(event).__name__)

    recorder, ends = Recorder(), list[EpochEnd]()

    def collect(event: Any) -> None:
        if isinstance(event, EpochEnd):
            ends.append(event)

    data = ctc_ocr.Captchas(ubuntu_font)
    ctc_ocr.train(small(num_epoch=1), data, str(tmp_path / "a"), [recorder, collect], cpu=1, num_proc=1)
    assert recorder.kinds == ["enter", *[BatchEnd.__name__] * 8, "Saved", EpochEnd.__name__, "exit"]
    assert len(ends[0].predictions) == 16


def test_a_registered_callback_by_its_name(tmp_path: Path, ubuntu_font: str) -> None:
    (tmp_path / "mine.py").write_text(
        textwrap.dedent("""
            import ctc_ocr

            @ctc_ocr.register_callback("count_events")
            class Count:
                def __init__(self):
                    self.number = 0

                def __call__(self, event):
                    self.number += 1
                    if type(event).__name__ == "EpochEnd":
                        print("events:", self.number)
        """)
    )
    flags = [f"--{name}={str(value).lower()}" for section in SETTINGS.values() for name, value in section.items()]
    done = subprocess.run(
        [sys.executable, "-m", "ctc_ocr", "train", ubuntu_font, *flags, "--num-epoch=1", "--import", "mine.py",
         "--callback", "count_events", "--cpu=1", "--num-proc=1"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "events: 10\n"), done.stderr


def test_a_name_that_is_not_registered_lists_those_that_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["--callback=nothing"]) == 2
    assert "no callback 'nothing'" in capsys.readouterr().err
    assert command(["--import=nothing_of_this_name"]) == 2
    assert "no module 'nothing_of_this_name'" in capsys.readouterr().err
    assert command(["--import=missing.py"]) == 2
    assert "missing.py: no such file" in capsys.readouterr().err


def test_a_run_that_was_killed_after_its_last_epoch_is_pruned_when_it_is_resumed(
    tmp_path: Path, ubuntu_font: str
) -> None:
    prefix, captchas = str(tmp_path / "m"), ctc_ocr.Captchas(ubuntu_font)
    settings = small(num_epoch=3, keep=1)
    result = ctc_ocr.train(settings, captchas, prefix, cpu=1, num_proc=1)
    kept = sorted({result.best_epoch, 3})
    assert epochs(prefix) == kept
    killed = min({1, 2} - {result.best_epoch})
    for ending in ("params", "state.npz"):
        shutil.copy(f"{prefix}-0003.{ending}", f"{prefix}-{killed:04}.{ending}")
    assert epochs(prefix) == sorted({killed, *kept})
    ctc_ocr.train(settings, captchas, prefix, resume=True, cpu=1, num_proc=1)
    assert epochs(prefix) == kept


def test_a_run_that_fails_leaves_no_folder(tmp_path: Path) -> None:
    prefix = tmp_path / "models" / "deep" / "ocr"
    with pytest.raises(ctc_ocr.InputError, match="no such font"):
        ctc_ocr.train(small(), ctc_ocr.Captchas("no.ttf"), str(prefix))
    assert list(tmp_path.iterdir()) == []


def test_a_prefix_is_checked_under_its_lock(tmp_path: Path, ubuntu_font: str) -> None:
    """Two runs that start together must not both find the prefix free."""
    prefix = str(tmp_path / "ocr")
    with locked_prefix(prefix), pytest.raises(ctc_ocr.RunError):
        ctc_ocr.train(small(), ctc_ocr.Captchas(ubuntu_font), prefix)
    assert existing_files(prefix) == []


def test_settings_that_contradict_each_other_are_refused_at_once() -> None:
    for options, reason in (
        (ctc_ocr.RunOptions(resume=True, init_from="x"), "^init_from: has no effect on a run that is resumed"),
        (ctc_ocr.RunOptions(resume=True, overwrite=True), "^overwrite: has no effect on a run that is resumed"),
        (ctc_ocr.RunOptions(gpu=3), "32 cannot be divided by 3 GPUs"),
    ):
        with pytest.raises(ctc_ocr.InputError, match=reason):
            ctc_ocr.TrainingSession(options=options)
    with pytest.raises(ctc_ocr.InputError, match="no preset 'nothing'; there are: lstm, crnn, word, line"):
        ctc_ocr.preset("nothing")


def test_a_renderer_that_gives_no_image_is_named(tmp_path: Path) -> None:
    class Broken(ctc_ocr.Renderer):
        def render(self, text: str, generator: np.random.Generator) -> Any:
            return np.zeros((10, 20))

    with pytest.raises(ctc_ocr.RunError, match=r"Broken\.render: expected an image .* got float64 \(10, 20\)"):
        ctc_ocr.train(small(), ctc_ocr.Captchas(renderer=Broken()), str(tmp_path / "ocr"), cpu=1, num_proc=1)


def test_overfitting_a_batch_and_the_table_of_the_network(ubuntu_font: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="ctc_ocr")
    session = ctc_ocr.TrainingSession(
        small(learning_rate=0.01), ctc_ocr.Captchas(ubuntu_font), ctc_ocr.RunOptions(cpu=1, num_proc=1)
    )
    assert "pred_fc" in session.network_summary()
    result = session.overfit_batch()
    assert result.succeeded
    assert result.updates < 1000
