"""Packs in shards: what is written and read, what is refused, and that no old shard is read."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import ctc_ocr
from ctc_ocr.cli.data import main as data
from ctc_ocr.cli.generate import main as generate
from ctc_ocr.datasets.captcha_files import CaptchaWriter
from ctc_ocr.datasets.captcha_packs import write_captcha_pack
from ctc_ocr.datasets.packing import pack_source
from ctc_ocr.datasets.samples import Sample, SourceOptions
from ctc_ocr.datasets.sources import open_source, read_source
from ctc_ocr.errors import InputError, RunError
from ctc_ocr.runtime.mxnet import mx

COUNT = 10


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("shards") / "images"
    CaptchaWriter.create(ctc_ocr.Data(), seed=3).write_folder(made, COUNT)
    return made


def content(source: str | Path) -> list[tuple[tuple[str, ...], bytes]]:
    samples, problems = read_source(source)
    assert problems == []
    return [(sample.units, sample.read_bytes()) for sample in samples]


def names(place: Path) -> list[str]:
    return sorted(path.name for path in place.iterdir())


def of(prefix: str, count: int) -> list[str]:
    shards = [f"{prefix}-{number:04d}-of-{count:04d}{suffix}" for number in range(count) for suffix in (".idx", ".rec")]
    return [*shards, f"{prefix}.json"]


def test_shards_are_read_as_what_they_were_made_of(folder: Path, tmp_path: Path) -> None:
    pack = pack_source(folder, tmp_path / "set", shards=3)
    assert (pack.path, pack.num_samples, pack.shards) == (tmp_path / "set", COUNT, 3)
    assert names(tmp_path) == of("set", 3)
    assert content(pack.path) == content(folder)
    assert content(f"{pack.path}.rec") == content(folder)  # a name that would do for a single pack
    rows = open_source(pack.path)
    assert (rows.form, rows.total) == (f"{tmp_path}/set (3 shards, alphabet in set.json)", COUNT)
    sizes = [len(content(tmp_path / f"set-{number:04d}-of-0003.rec")) for number in range(3)]
    assert sizes == [4, 3, 3]
    assert "one of 3 shards, all of which are" in open_source(tmp_path / "set-0001-of-0003.rec").form
    samples = read_source(pack.path)[0]
    assert samples[4].where == f"{tmp_path}/set-0001-of-0003.rec, record 0"
    assert [each.read_bytes() for each in pickle.loads(pickle.dumps(samples))] == [each[1] for each in content(folder)]


def test_a_single_pack_is_read_by_its_name_without_suffix(folder: Path, tmp_path: Path) -> None:
    pack_source(folder, tmp_path / "set")
    assert names(tmp_path) == ["set.idx", "set.json", "set.rec"]
    assert content(tmp_path / "set") == content(tmp_path / "set.rec") == content(folder)
    (tmp_path / "set.rec").unlink()
    with pytest.raises(InputError, match="No such file") as error:
        read_source(tmp_path / "set.rec")
    assert error.value.where == str(tmp_path / "set.rec")


def test_a_pack_with_suffixes_in_capitals(folder: Path, tmp_path: Path) -> None:
    pack_source(folder, tmp_path / "set")
    for suffix in ("rec", "idx", "json"):
        (tmp_path / f"set.{suffix}").rename(tmp_path / f"set.{suffix.upper()}")
    assert content(tmp_path / "set.REC") == content(folder)
    (tmp_path / "set.IDX").unlink()
    with pytest.raises(InputError) as error:
        read_source(tmp_path / "set.REC")
    assert str(error.value) == f"{tmp_path}/set.IDX: No such file or directory"


def test_mxnet_reads_each_shard(folder: Path, tmp_path: Path) -> None:
    pack_source(folder, tmp_path / "set", shards=3)
    units, expected = json.loads((tmp_path / "set.json").read_text())["alphabet"], content(folder)
    found = []
    for number in range(3):
        prefix = tmp_path / f"set-{number:04d}-of-0003"
        reader = mx.recordio.MXIndexedRecordIO(f"{prefix}.idx", f"{prefix}.rec", "r")
        found += [mx.recordio.unpack(reader.read_idx(key)) for key in reader.keys]
        reader.close()
    assert [header.label.tolist() for header, _ in found] == [[units[each] for each in label] for label, _ in expected]
    assert [image for _, image in found] == [image for _, image in expected]


def test_every_command_takes_the_name(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "packs" / "set"
    assert data(["pack", str(folder), str(out), "--shards", "4"]) == 0
    assert f"Packed {COUNT} images in {out} (4 shards); " in capsys.readouterr().out
    assert data(["check", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["samples"] == COUNT
    assert data(["preview", str(out), str(tmp_path / "seen.png"), "--count", "2"]) == 0
    assert data(["pack", f"{out}", str(tmp_path / "again"), "--shards", "2"]) == 0
    assert content(tmp_path / "again") == content(folder)
    assert data(["check", str(out), "--delimiter", ","]) == 2
    assert "has no effect on a pack" in capsys.readouterr().err


def test_a_missing_extra_or_foreign_shard_is_named(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "set"
    pack_source(folder, out, shards=3)
    second = tmp_path / "set-0001-of-0003.rec"
    whole = second.read_bytes()

    def refused(path: Path, reason: str) -> None:
        with pytest.raises(InputError, match=reason) as error:
            open_source(out)
        assert error.value.where == str(path)

    second.unlink()
    refused(second, "a missing shard: set.json says that there are 3")
    second.write_bytes(whole[:-4])
    refused(second, f"has {len(whole) - 4} bytes, and set.json says {len(whole)}")
    second.write_bytes(whole)
    index = second.with_suffix(".idx")
    lines = index.read_text()
    index.write_text(lines.splitlines(keepends=True)[0])
    refused(index, "has 1 records, and set.json says 3")
    index.write_text("0\t0\nx\n")
    refused(index, "line 2: expected KEY, a tab and OFFSET, got 'x'")
    index.write_text(lines)
    for extra in ("set-0003-of-0004.rec", "set-0003-of-0003.idx"):
        (tmp_path / extra).write_bytes(whole)
        refused(tmp_path / extra, "not a shard of this pack: set.json says that there are 3")
        (tmp_path / extra).unlink()
    for shards in ("3", [{"samples": 1}], [{"samples": 1, "bytes": "x"}]):
        (tmp_path / "set.json").write_text(json.dumps({"alphabet": {"a": 1}, "shards": shards}))
        refused(tmp_path / "set.json", 'expected "shards"')
    (tmp_path / "set.json").unlink()
    refused(tmp_path / "set.json", "No such file; the alphabet of a pack is expected there")


def test_no_old_shard_stays(folder: Path, tmp_path: Path) -> None:
    out, beside = tmp_path / "set", tmp_path / "set-x-0000-of-0002.rec"
    beside.write_bytes(b"of another pack")
    for shards in (3, 5, 1, 2, 1):
        for again in (1, 2, 3):
            if (tmp_path / "set.json").exists():
                with pytest.raises(InputError, match="exists already: replace it with --overwrite"):
                    pack_source(folder, out, shards=again)
        pack_source(folder, out, shards=shards, overwrite=True)
        expected = of("set", shards) if shards > 1 else ["set.idx", "set.json", "set.rec"]
        assert names(tmp_path) == sorted([*expected, beside.name])
        assert content(out) == content(folder)
    pack_source(out, out, shards=2, overwrite=True)  # onto itself
    assert content(out) == content(folder)


def test_a_pack_does_not_take_the_name_of_labels_in_json(folder: Path, tmp_path: Path) -> None:
    """They could be those that it is made of."""
    other = tmp_path / "labels.json"
    other.write_text('{"a.png": "AB"}')
    with pytest.raises(InputError, match=r"labels\.json: exists, and is not of a pack: use another name"):
        pack_source(folder, tmp_path / "labels", overwrite=True)
    assert other.read_text() == '{"a.png": "AB"}'


def test_numbers_and_names_that_are_refused(folder: Path, tmp_path: Path) -> None:
    for shards, reason in ((0, "expected 1 to 9999, got 0"), (10_000, "got 10000"), (COUNT + 1, "than the 10 samples")):
        with pytest.raises(InputError, match=reason):
            pack_source(folder, tmp_path / "set", shards=shards)
    with pytest.raises(InputError, match="could not be read by this name"):
        pack_source(folder, folder, shards=2)
    assert names(tmp_path) == []


def test_nothing_is_written_if_an_image_cannot_be_read(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "set"
    pack_source(folder, out, shards=2)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    last = read_source(folder)[0][-1]
    read_bytes, reads = Sample.read_bytes, []

    def vanishing(sample: Sample) -> bytes:
        reads.append(sample)
        if sample.image == last.image and len(reads) > COUNT:  # after the check
            raise InputError("vanished", sample.where)
        return read_bytes(sample)

    monkeypatch.setattr(Sample, "read_bytes", vanishing)
    with pytest.raises(InputError, match="vanished"):
        pack_source(folder, out, shards=3, overwrite=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_folder_of_images_may_have_shards_beside_them(folder: Path, tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"a{number}b.png").write_bytes((folder / "000000.png").read_bytes())
    pack_source(folder, tmp_path / "set", shards=2)
    assert len(read_source(tmp_path, SourceOptions())[0]) == 3


@pytest.mark.slow
def test_captchas_are_drawn_into_shards(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--count", "11", "--seed", "3", "--renderer", "fast", "--alphabet", "ab7"]
    assert generate([*flags, "--output_dir", str(tmp_path / "files")]) == 0
    for name, more in (
        ("one", ["--num_proc", "2"]),
        ("three", ["--shards", "3"]),
        ("two", ["--shards=2", "--num_proc=2"]),
    ):
        assert generate([*flags, "--pack", str(tmp_path / name), *more]) == 0
        assert content(tmp_path / name) == content(tmp_path / "files")
    assert f"Packed 11 images in {tmp_path}/two (2 shards) (seed 3)" in capsys.readouterr().out
    assert names(tmp_path) == sorted(["files", *of("three", 3), *of("two", 2), "one.idx", "one.json", "one.rec"])
    assert generate([*flags, "--pack", str(tmp_path / "two")]) == 2
    assert "exists already: replace it with --overwrite" in capsys.readouterr().err
    assert generate([*flags, "--pack", str(tmp_path / "two"), "--overwrite", "--format", "jpg"]) == 0
    assert content(tmp_path / "two")[0][1][:2] == b"\xff\xd8"
    assert generate([*flags, "--pack", str(tmp_path / "four"), "--shards", "12"]) == 2


@pytest.mark.slow
def test_images_of_any_size_are_packed_by_processes(tmp_path: Path) -> None:
    writer = CaptchaWriter.create(ctc_ocr.Data(), seed=1, renderer="wild")
    for num_proc in (1, 2):
        write_captcha_pack(writer, tmp_path / f"by_{num_proc}", 5, 2, num_proc=num_proc)
    assert content(tmp_path / "by_1") == content(tmp_path / "by_2")


def test_what_generate_says_of_flags_that_do_not_fit(capsys: pytest.CaptureFixture[str]) -> None:
    for flags, said in (
        (["--count=2"], "--count needs --output_dir DIR or --pack OUT"),
        (["--count=2", "--pack=a", "--output_dir=b"], "--output_dir and --pack: use one of them"),
        (["--count=2", "--output_dir=b", "--shards=2"], "--shards needs --pack OUT"),
        (["--pack=a", "--shards=2"], "--pack, --shards needs --count N"),
    ):
        with pytest.raises(SystemExit) as ended:
            generate(flags)
        assert ended.value.code == 2
        assert said in capsys.readouterr().err


class FailsAt:
    """White images; one text cannot be drawn."""

    def __init__(self, text: str) -> None:
        self.text = text

    def render(self, text: str, generator: np.random.Generator) -> NDArray[np.uint8]:
        if text == self.text:
            raise RunError("no paper left", text)
        return np.full((8, 8), 255, np.uint8)


@pytest.mark.slow
@pytest.mark.parametrize("num_proc", [1, 2])
def test_a_failure_while_drawing_leaves_nothing(tmp_path: Path, num_proc: int) -> None:
    texts = [CaptchaWriter(FailsAt(""), ctc_ocr.Data(), 1).encoded(".png", index=index)[0] for index in range(5)]
    writer = CaptchaWriter(FailsAt(texts[3]), ctc_ocr.Data(), 1)
    with pytest.raises(RunError, match="no paper left"):
        write_captcha_pack(writer, tmp_path / "set", 5, 2, num_proc=num_proc)
    with pytest.raises(InputError, match="expected one of png, jpg"):
        write_captcha_pack(writer, tmp_path / "set", 5, 2, format="nothing")
    assert names(tmp_path) == []
