"""The fonts of the starter model: the table, and packages that are not what they should be."""

import base64
import hashlib
import io
import re
import tarfile
from pathlib import Path

import pytest

from ctc_ocr.errors import InputError, RunError
from starter import fonts

FONT = b"a font"


def package(files: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)
    return out.getvalue()


def family(content: bytes, styles: tuple[str, ...] = ("400Regular",)) -> fonts.Family:
    digest = base64.b64encode(hashlib.sha512(content).digest()).decode()
    return fonts.Family("sans", "Plain", "@some/plain", "1.2.3", styles, "OFL-1.1", f"sha512-{digest}")


def test_the_table() -> None:
    families = fonts.read_table()
    assert len(families) > 100
    assert len({each.kind for each in families}) == 11
    assert len({name for each in families for name in each.files}) > 300
    for each in families:
        assert re.fullmatch(r"@[\w-]+/[\w-]+", each.package)
        assert re.fullmatch(r"sha512-[A-Za-z0-9+/]{86}==", each.integrity)
        assert re.fullmatch(r"[A-Za-z0-9]+", each.family)
        assert each.styles


def test_another_table() -> None:
    table = Path(__file__).parent.parent / "benchmarks" / "japanese_fonts.csv"
    families = fonts.read_table(table)
    assert {each.kind for each in families} == {"train", "test"}
    assert all(re.fullmatch(r"sha512-[A-Za-z0-9+/]{86}==", each.integrity) for each in families)


def test_what_is_no_table_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "t.csv").write_text("kind,family\nsans,Plain\n", encoding="utf-8")
    for name, reason in (("t.csv", "not a table of families; expected a CSV file with"), ("none.csv", "No such file")):
        assert fonts.main([str(tmp_path / "fonts"), "--table", str(tmp_path / name)]) == 2
        assert reason in capsys.readouterr().err


def test_a_kind_that_the_table_lacks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fonts.main([str(tmp_path), "--kind", "gothick"]) == 2
    assert "no family of kind 'gothick'" in capsys.readouterr().err


def test_no_font_of_common_captcha_generators_is_used() -> None:
    names = [name.replace(" ", "").lower() for name in fonts.held_out()]
    assert {"comicsans", "arial", "verdana", "georgia", "dejavu"} <= set(names)
    for each in fonts.read_table():
        assert not [name for name in names if name in each.family.lower()], each.family


def test_another_licence_is_refused(tmp_path: Path) -> None:
    header, row, *_ = fonts.TABLE.read_text(encoding="utf-8").splitlines()
    (tmp_path / "t.csv").write_text(f"{header}\n{row.replace('OFL-1.1', 'Proprietary')}\n", encoding="utf-8")
    with pytest.raises(InputError, match="licence 'Proprietary'; accepted: Apache-2"):
        fonts.read_table(tmp_path / "t.csv")


def test_fonts_are_fetched_once(tmp_path: Path) -> None:
    content = package({"package/400Regular/Plain_400Regular.ttf": FONT, "package/index.js": b"x"})
    asked = []

    def download(path: str) -> bytes:
        asked.append(path)
        return content

    assert fonts.fetch(tmp_path / "fonts", [family(content)], download) == 1
    assert fonts.fetch(tmp_path / "fonts", [family(content)], download) == 0
    assert asked == ["/@some/plain/-/plain-1.2.3.tgz"]
    assert [path.name for path in (tmp_path / "fonts").iterdir()] == ["Plain_400Regular.ttf"]
    assert (tmp_path / "fonts" / "Plain_400Regular.ttf").read_bytes() == FONT


def test_a_changed_package_is_refused(tmp_path: Path) -> None:
    content = package({"package/Plain_400Regular.ttf": FONT})
    with pytest.raises(RunError, match=r"@some/plain 1\.2\.3: its checksum is sha512-"):
        fonts.fetch(tmp_path, [family(content)], lambda _: content + b"x")
    assert not list(tmp_path.iterdir())


def test_only_regular_files_with_expected_names_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    monkeypatch.setattr(fonts, "MAX_FONT", 100)
    for content in (
        package({"../../evil.ttf": FONT, "/tmp/evil.ttf": FONT}),
        package({}, {"package/Plain_400Regular.ttf": str(secret)}),
        package({"package/Plain_400Regular.ttf": bytes(101)}),
    ):
        with pytest.raises(RunError, match=r"the package has no Plain_400Regular\.ttf"):
            fonts.fetch(tmp_path / "fonts", [family(content)], lambda _, content=content: content)  # type: ignore[misc]
    outside = package({"../../../Plain_400Regular.ttf": FONT})  # placed by its own name, within the folder
    fonts.fetch(tmp_path / "fonts", [family(outside)], lambda _: outside)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["Plain_400Regular.ttf", "fonts", "secret"]


def test_a_registry_that_cannot_be_reached(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fonts.main([str(tmp_path), "--registry", "http://localhost"]) == 2
    assert "expected an address that begins with https://" in capsys.readouterr().err
    assert fonts.main([str(tmp_path), "--registry", "https://localhost:1"]) == 1
    assert "cannot be downloaded" in capsys.readouterr().err
