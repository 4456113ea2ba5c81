"""The command ctc-ocr generate: what it writes, what it refuses, and that it leaves nothing running."""

import contextlib
import csv
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from ctc_ocr.cli.generate import main
from ctc_ocr.cli.running import run
from ctc_ocr.generation.seeds import FILES, sample_generator
from ctc_ocr.rendering.captcha_library import CaptchaLibraryRenderer

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "scripts" / "captcha_generator.py"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


def _rows(directory: Path) -> list[tuple[str, str]]:
    with (directory / "labels.csv").open(encoding="utf-8", newline="") as file:
        rows = [(image, label) for image, label in csv.reader(file)]
    assert rows[0] == ("image", "label")
    return rows[1:]


def _images(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.suffix != ".csv"}


def _error(capsys: pytest.CaptureFixture[str], *argv: object) -> str:
    """Run a command line that must end with status 2 and print nothing on stdout; what it says on stderr."""
    status: int | str | None
    try:
        status = main([str(each) for each in argv])
    except SystemExit as exit:
        status = exit.code
    said = capsys.readouterr()
    assert status == 2
    assert said.out == ""
    assert "Traceback" not in said.err
    return said.err


def test_the_script_writes_one_captcha(tmp_path: Path, ubuntu_font: str) -> None:
    command = [sys.executable, str(SCRIPT), ubuntu_font, "sample.jpg", "--num", "0089"]
    done = subprocess.run(command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "0089" in done.stdout
    assert "sample.jpg" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["sample.jpg"]
    image = cv2.imread(str(tmp_path / "sample.jpg"), cv2.IMREAD_UNCHANGED)
    assert (image.shape, image.dtype) == ((30, 80), np.uint8)


def test_one_captcha_is_the_renderers_whatever_the_order_of_the_flags(tmp_path: Path, ubuntu_font: str) -> None:
    expected = CaptchaLibraryRenderer((ubuntu_font,), 200, 70, 100, 40).render("cab", sample_generator(9, FILES, 0))
    text = ["--num", "cab", "--alphabet", "abc", "--seed", "9"]
    flags = [*text, "--draw_width", "200", "--draw_height", "70", "--width", "100", "--height", "40"]
    for number, argv in enumerate(
        ([*flags, ubuntu_font, "OUT"], [ubuntu_font, "OUT", *flags], [ubuntu_font, *flags, "OUT"])
    ):
        path = tmp_path / f"{number}.png"
        assert main([str(path) if each == "OUT" else each for each in argv]) == 0
        assert (cv2.imread(str(path), cv2.IMREAD_UNCHANGED) == expected).all()


def test_without_num_the_text_is_random_and_printed(
    tmp_path: Path, ubuntu_font: str, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = set()
    for seed in range(5):
        argv = [ubuntu_font, str(tmp_path / "a.png"), "--seed", str(seed), "--min_length", "5", "--max_length", "6"]
        assert main(argv) == 0
        text = capsys.readouterr().out.split()[1]
        assert text.isdigit()
        assert len(text) in (5, 6)
        texts.add(text)
    assert len(texts) == 5


def test_a_fresh_seed_is_printed_and_draws_the_same_again(
    tmp_path: Path, ubuntu_font: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path, seeds = tmp_path / "a.png", set()
    for _ in range(2):
        assert main([ubuntu_font, str(path)]) == 0
        seed, image = capsys.readouterr().out.rpartition("seed ")[2].rstrip(")\n"), path.read_bytes()
        assert main([ubuntu_font, str(path), "--seed", seed]) == 0
        capsys.readouterr()
        assert path.read_bytes() == image
        seeds.add(seed)
    assert len(seeds) == 2


def test_files_depend_on_the_seed_alone(tmp_path: Path, fonts_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither on the number of processes nor on the count."""
    for name, count, processes in (("one", 50, 1), ("three", 50, 3), ("fewer", 20, 2)):
        argv = [fonts_folder, "--count", count, "--output_dir", tmp_path / name, "--num_proc", processes, "--seed", 4]
        assert main([str(each) for each in argv]) == 0
        assert f"{count} images" in capsys.readouterr().out
    one, three, fewer = (_images(tmp_path / name) for name in ("one", "three", "fewer"))
    assert (len(one), len(fewer)) == (50, 20)
    assert len(set(one.values())) == 50
    assert three == one
    assert fewer.items() <= one.items()
    assert _rows(tmp_path / "one") == _rows(tmp_path / "three")
    assert _rows(tmp_path / "fewer") == _rows(tmp_path / "one")[:20]
    for name, label in _rows(tmp_path / "one"):
        assert cv2.imread(str(tmp_path / "one" / name), cv2.IMREAD_UNCHANGED).shape == (30, 80)
        assert label.isdigit()
        assert len(label) in (3, 4)


def test_the_font_is_optional_and_the_format_an_option(tmp_path: Path) -> None:
    assert main(["--count", "3", "--output_dir", str(tmp_path / "new" / "d"), "--format", "jpg"]) == 0
    assert [name for name, _ in _rows(tmp_path / "new" / "d")] == ["000000.jpg", "000001.jpg", "000002.jpg"]
    assert all(image[:3] == b"\xff\xd8\xff" for image in _images(tmp_path / "new" / "d").values())


REGISTERED = """
import ctc_ocr
import numpy as np

@ctc_ocr.register_renderer("bars")
class Bars(ctc_ocr.Renderer):
    def render(self, text, generator):
        image = np.full((10, 100), 255, np.uint8)
        image[2:8, : 10 * len(text)] = generator.integers(100)
        image[9] = generator.integers(256, size=100)
        return image
"""


@pytest.mark.slow
def test_renderers_by_name_write_the_same_files_by_any_number_of_processes(tmp_path: Path, ubuntu_font: str) -> None:
    """In processes of their own: what is registered stays registered."""
    (tmp_path / "bars_of_mine.py").write_text(REGISTERED)
    names = {"captcha": [], "fast": [], "bars": ["--import", "bars_of_mine.py"]}
    found: dict[str, dict[str, bytes]] = {}
    for name, flags in names.items():
        for processes in ("1", "2"):
            out = tmp_path / f"{name}{processes}"
            command = [sys.executable, "-m", "ctc_ocr", "generate", ubuntu_font, "--renderer", name, *flags]
            command += ["--count", "12", "--output_dir", str(out), "--seed", "4", "--num_proc", processes]
            done = subprocess.run(command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True)
            assert (done.returncode, done.stderr) == (0, "")
            sizes = {cv2.imread(str(path)).shape[:2] for path in out.glob("*.png")}
            assert sizes == {(10, 100) if name == "bars" else (30, 80)}
        found[name] = _images(tmp_path / f"{name}1")
        assert found[name] == _images(tmp_path / f"{name}2")
        assert _rows(tmp_path / f"{name}1") == _rows(tmp_path / f"{name}2")
    assert len(set(found["captcha"].values()) | set(found["fast"].values()) | set(found["bars"].values())) == 36
    # The default is the captcha package, as before.
    assert main([ubuntu_font, "--count", "12", "--output_dir", str(tmp_path / "default"), "--seed", "4"]) == 0
    assert _images(tmp_path / "default") == found["captcha"]


OWN_RENDERER = """
import sys
import numpy as np
from ctc_ocr import Data, Renderer
from ctc_ocr.datasets.captcha_files import CaptchaWriter

class Red(Renderer):
    def render(self, text, generator):
        image = np.full((10, 20, 3), 255, np.uint8)
        image[2:4, : 4 * len(text)] = 200, 0, int(generator.integers(50))
        return image

writer, seen = CaptchaWriter(Red(), Data(), seed=3), []
for num_proc in (1, 2):
    writer.write_folder(
        f"{sys.argv[1]}/{num_proc}", 20, num_proc=num_proc, progress=lambda done, total: seen.append((done, total))
    )
print(seen == [(number, 20) for number in range(1, 21)] * 2)
"""


def test_own_renderers_write_the_same_files_by_any_number_of_processes(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", OWN_RENDERER, str(tmp_path)], env=ENVIRONMENT, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("True\n", "")
    assert _images(tmp_path / "1") == _images(tmp_path / "2")
    assert _rows(tmp_path / "1") == _rows(tmp_path / "2")
    blue, green, red = cv2.imread(str(tmp_path / "1" / "000000.png"))[2, 0]
    assert (red, green, blue < 50) == (200, 0, True)


def test_labels_with_commas_and_quotes_are_quoted(tmp_path: Path) -> None:
    argv = ["--count", "8", "--output_dir", str(tmp_path), "--alphabet", ',"', "--seed", "1"]
    assert main(argv) == 0
    assert all(set(label) <= set(',"') and len(label) in (3, 4) for _, label in _rows(tmp_path))


@pytest.mark.parametrize("present", ["labels.csv", "photo.JPG", "482913.png", "000007.png"])
def test_a_folder_with_images_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], present: str) -> None:
    (tmp_path / present).write_text("old")
    (tmp_path / "notes.txt").write_text("kept")
    flags = ("--count", "2", "--output_dir", tmp_path)
    assert "--overwrite" in _error(capsys, *flags)
    assert (tmp_path / present).read_text() == "old"
    assert main([*map(str, flags), "--overwrite"]) == 0
    mine = {"photo.JPG", "482913.png"} & {present}  # not the name of a generated image: not removed
    assert {path.name for path in tmp_path.iterdir()} == {"000000.png", "000001.png", "labels.csv", "notes.txt", *mine}


@pytest.mark.parametrize("has_labels", [True, False])
def test_captchas_named_after_their_text_are_not_overwritten(tmp_path: Path, has_labels: bool) -> None:
    """Some have small numbers."""
    generator = np.random.default_rng(0)
    names = {f"{number:06d}.png" for number in [7, 512, *generator.integers(1_000_000, size=60).tolist()]}
    for name in names:
        (tmp_path / name).write_text("mine")
    if has_labels:
        (tmp_path / "labels.csv").write_text("".join(f"{name},{name[:6]}\n" for name in sorted(names)))
    assert main(["--count", "2", "--output_dir", str(tmp_path), "--overwrite"]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {*names, "000000.png", "000001.png", "labels.csv"}
    (tmp_path / "labels.csv").write_bytes(b"\xff")
    assert main(["--count", "1", "--output_dir", str(tmp_path), "--overwrite"]) == 0
    assert {path.name for path in tmp_path.iterdir()} >= names


def test_bad_command_lines(tmp_path: Path, ubuntu_font: str, capsys: pytest.CaptureFixture[str]) -> None:
    one, many = (ubuntu_font, tmp_path / "a.png"), ("--count", 2, "--output_dir", tmp_path / "d")
    for argv, message in {
        (): "expected FONT and OUTPUT",
        (ubuntu_font,): "expected FONT and OUTPUT",
        (ubuntu_font, "a.xyz"): "must end in one of .png",
        (*one, "--num", ""): "the text is empty",
        (*one, "--num", "12x"): "'x' not in the alphabet",
        (*one, "--num", "漢", "--alphabet", "漢"): "no glyph for '漢'",
        (*one, "--num_proc", 2): "--num_proc needs --count",
        (*one, "--overwrite", "--format", "png"): "--format, --overwrite needs --count",
        (*one, "--seed", -1): "seed: -1 is not an integer",
        (*one, "--seed", "x"): "expected an integer",
        (ubuntu_font, tmp_path / "no" / "a.png"): "there is no folder",
        (tmp_path / "no.ttf", "a.png"): "no such font",
        (SCRIPT, "a.png"): "not a font",
        (tmp_path, "a.png"): "no font in this folder",
        (*one, *many): "are for one captcha",
        (*many, "--num", "12"): "are for one captcha",
        ("--count", 2): "--count needs --output_dir",
        ("--output_dir", "d"): "--output_dir needs --count",
        ("--count", 0, "--output_dir", "d"): "0 is less than 1",
        ("--count", -5, "--output_dir", "d"): "-5 is less than 1",
        ("--count", "many", "--output_dir", "d"): "expected an integer, got 'many'",
        (*many, "--num_proc", 0): "0 is less than 1",
        (*many, "--format", "gif"): "invalid choice",
        (*many, "--min_length", 5): "min_length 5 is greater than max_length 4",
        (*many, "--min_length", 0): "0 is less than 1",
        (*many, "--alphabet", "aa"): "must be distinct",
        (*many, "--alphabet", ""): "the alphabet is empty",
        (*many, "--width", 0): "0 is less than 1",
        (*many, "--draw_height", 3): "3 is less than 16",
        ("--count", 2, "--output_dir", SCRIPT): "not a folder that can be written to",
        (*many, "--colour", "red"): "unrecognized arguments",
    }.items():
        assert message in _error(capsys, *argv), argv
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written(tmp_path: Path, ubuntu_font: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.png").mkdir()
    assert main([ubuntu_font, str(tmp_path / "a.png")]) == 1
    assert "a.png: Is a directory" in capsys.readouterr().err


def test_an_error_in_an_image_process_reaches_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder stands where an image is to be written."""
    (tmp_path / "000003.pgm").mkdir()
    argv = ["--count", "8", "--output_dir", str(tmp_path), "--format", "pgm", "--num_proc", "2"]
    assert main(argv) == 1
    assert "000003.pgm: Is a directory" in capsys.readouterr().err
    assert not (tmp_path / "labels.csv").exists()
    assert not list(tmp_path.glob(".*.tmp"))


def test_sizes_of_wild_images_are_their_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = _error(capsys, "--count", 2, "--output_dir", tmp_path, "--renderer", "wild", "--height", 50, "--width", 90)
    assert "--width, --height: no effect with --renderer wild" in said
    assert list(tmp_path.iterdir()) == []


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    for flag, word in (("--version", "ctc_ocr"), ("--help", "--output_dir")):
        with pytest.raises(SystemExit) as exit:
            main([flag])
        assert exit.value.code == 0
        assert word in capsys.readouterr().out


def test_a_reader_that_goes_away_is_no_error() -> None:
    program = "from ctc_ocr.cli.running import run; import sys; sys.exit(run('p', lambda _: print('x' * 100_000), []))"
    process = subprocess.Popen(
        [sys.executable, "-c", program], env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    with process.stderr as stderr:
        assert stderr.read() == b""
    assert process.wait() == 141


def test_run_turns_ctrl_c_into_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def body(argv: list[str]) -> None:
        raise KeyboardInterrupt

    assert run("prog", body, []) == 130
    assert capsys.readouterr().err == "prog: interrupted\n"


@contextlib.contextmanager
def _long_run(directory: Path) -> Iterator["subprocess.Popen[str]"]:
    """A run with more images than anyone waits for and two image processes, in a process group of its own."""
    command = [sys.executable, str(SCRIPT), "--count", "100000", "--output_dir", str(directory), "--num_proc", "2"]
    with subprocess.Popen(
        command, env=ENVIRONMENT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _wait_until(true: object) -> None:
    """Until true() holds; the timeout of the test run ends what never does."""
    assert callable(true)
    while not true():
        time.sleep(0.01)


def _members(group: int) -> dict[int, str]:
    """Processes of a group that are no zombies: {process id: command line}."""
    found = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit():
                state, _, of_group = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
                if int(of_group) == group and state != "Z":
                    found[int(entry.name)] = (entry / "cmdline").read_text()
    return found


def _image_processes(group: int) -> list[int]:
    return [pid for pid, command in _members(group).items() if "spawn_main" in command]


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")


@needs_proc
@pytest.mark.parametrize("when", ["at the start of the processes", "while they work"])
def test_ctrl_c_is_one_line_and_leaves_nothing_running(tmp_path: Path, when: str) -> None:
    with _long_run(tmp_path) as process:
        _wait_until(lambda: _image_processes(process.pid) if "start" in when else list(tmp_path.glob("*.png")))
        os.killpg(process.pid, signal.SIGINT)
        _, stderr = process.communicate()
        assert (process.returncode, stderr) == (130, "ctc-ocr generate: interrupted\n")
        _wait_until(lambda: not _members(process.pid))
    assert [path for path in tmp_path.iterdir() if path.suffix != ".png"] == []


@needs_proc
def test_an_image_process_that_is_killed_again_and_again_ends_the_command(tmp_path: Path) -> None:
    """One that is killed once is replaced."""
    with _long_run(tmp_path) as process:
        _wait_until(lambda: list(tmp_path.glob("*.png")))
        killed = set[int]()
        while process.poll() is None:
            for pid in set(_image_processes(process.pid)) - killed:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                killed.add(pid)
            time.sleep(0.05)
        _, stderr = process.communicate()
        assert process.returncode == 1
        *_, last = stderr.splitlines()
        assert re.match(
            r"ctc-ocr generate: error: an image process \(pid \d+\) was killed by signal 9 .*like those", last
        )
        assert len(killed) > 2
        _wait_until(lambda: not _members(process.pid))
    assert not (tmp_path / "labels.csv").exists()


def test_sigterm_leaves_no_part_of_a_pack(tmp_path: Path) -> None:
    arguments = ["--count=100000", "--pack=x", "--num_proc=1"]
    with subprocess.Popen([sys.executable, "-m", "ctc_ocr", "generate", *arguments], cwd=tmp_path) as process:
        _wait_until(lambda: list(tmp_path.iterdir()))
        process.terminate()
    assert process.returncode == 143
    assert list(tmp_path.iterdir()) == []


@needs_proc
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_image_processes_end_with_a_killed_parent_and_import_no_mxnet(tmp_path: Path, how: signal.Signals) -> None:
    with _long_run(tmp_path) as process:
        _wait_until(lambda: list(tmp_path.glob("*.png")))
        (pid, *_) = _image_processes(process.pid)
        assert "mxnet" not in Path(f"/proc/{pid}/maps").read_text()
        process.send_signal(how)
        process.wait()
        _wait_until(lambda: not _members(process.pid))
