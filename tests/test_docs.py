"""The site: it builds without a warning, needs no other host, and has every flag and every public name."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import ctc_ocr

ROOT = Path(__file__).resolve().parent.parent
LOADED = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src"}
# Elements by which a browser loads something, and the links that it only shows.
LINKED_RELS = {"canonical", "next", "prev"}


class Html(HTMLParser):
    """Anchors, links and loaded files of a page, and its text by element id for lists of flags."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if "id" in values:
            self.ids.add(values["id"])
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if (name := LOADED.get(tag)) and name in values and values.get("rel") not in LINKED_RELS:
            self.loaded.append(values[name])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built with warnings as errors and without a network."""
    pytest.importorskip("mkdocs")
    folder = tmp_path_factory.mktemp("site")
    no_network = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    environment = {**os.environ, **no_network, "PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Html]:
    return {path: Html(path) for path in sorted(site.glob("**/*.html"))}


@pytest.mark.xdist_group("site")
def test_pages_load_nothing_from_other_hosts(site: Path, pages: dict[Path, Html]) -> None:
    elsewhere = {each for html in pages.values() for each in html.loaded if urlsplit(each).netloc}
    assert elsewhere == set()
    for style in site.glob("**/*.css"):
        assert not re.search(r"(?:@import|url\()\s*[\"']?(?:https?:)?//", style.read_text(encoding="utf-8")), style


@pytest.mark.xdist_group("site")
def test_links_within_the_site_lead_somewhere(site: Path, pages: dict[Path, Html]) -> None:
    assert len(pages) >= 30
    for path, html in pages.items():
        if path.name == "404.html":
            continue  # its links are absolute
        for link in html.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            assert target.exists(), f"{path.relative_to(site)}: {link}"
            if parts.fragment and target.suffix == ".html":
                assert unquote(parts.fragment) in pages[target].ids, f"{path.relative_to(site)}: {link}"


@pytest.mark.slow
@pytest.mark.xdist_group("site")
def test_every_flag_that_help_shows_is_on_the_page_of_the_command_line(site: Path) -> None:
    page = (site / "reference" / "cli.html").read_text(encoding="utf-8")
    sections = dict(re.findall(r'<h2 id="[^"]*">(ctc-ocr [\w ]+)<.*?</h2>(.*?)(?=<h2 |</article>)', page, re.DOTALL))
    commands = [
        "train",
        "infer",
        "generate",
        "evaluate",
        "interpret",
        "bundle",
        "export",
        "serve",
        "info",
        *(f"data {each}" for each in subcommands("data")),
    ]
    assert set(sections) == {f"ctc-ocr {command}" for command in commands}
    for command in commands:
        shown = set(re.findall(r"^ +(?:-\w(?: [A-Z]\w*)?, )?(--\w+)", help_of(command), re.MULTILINE))
        names = "".join(re.findall(r"<dt .*?</dt>", sections[f"ctc-ocr {command}"]))
        listed = set(re.findall(r"<code[^>]*>(--\w+)</code>", names))
        assert listed == shown, command
        assert "--help" in shown


def help_of(command: str) -> str:
    arguments = [sys.executable, "-m", "ctc_ocr", *command.split(), "--help"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    return subprocess.run(arguments, env=environment, check=True, capture_output=True, text=True, timeout=120).stdout


def subcommands(command: str) -> list[str]:
    return re.findall(r"^    (\w+)  ", help_of(command), re.MULTILINE)


@pytest.mark.xdist_group("site")
def test_every_public_name_is_on_the_page_of_the_package(site: Path, pages: dict[Path, Html]) -> None:
    page = site / "reference" / "api.html"
    text = page.read_text(encoding="utf-8")
    headed = {each.rpartition(".")[2] for each in pages[page].ids}
    shown_otherwise = {"PRESETS": ">PRESETS<", "__version__": "ctc_ocr.__version__", "mxnet": "ctc_ocr.mxnet"}
    for name in ctc_ocr.__all__:
        assert name in headed or shown_otherwise.get(name, "nowhere") in text, name


@pytest.mark.xdist_group("site")
def test_search_finds_a_flag(site: Path) -> None:
    assert "beam_width" in (site / "search" / "search_index.json").read_text(encoding="utf-8")
