"""The page of `ctc-ocr serve` with many images: the table, its file, a busy server, and the API key."""

import csv
import io
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ctc_ocr.datasets.sources import read_source
from ctc_ocr.evaluation.shown_probability import shown_probability
from ctc_ocr.inference.predictions_csv import HEADER
from tests.browser import CHROMIUM, Browser
from tests.servers import STARTER, RunningServer
from tests.serving_pages import address_of, check_own, drop, pages, texts, wait_until_read, write_captchas

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

SAMPLE = Path(__file__).resolve().parent.parent / "docs" / "sample.png"
LIMITS = ("--max_images=5", "--max_request_bytes=100000", "--max_pending_bytes=100000")
# As many files as wanted, from a script.
DROP_MANY = """(() => {
  const data = new DataTransfer();
  for (let index = 0; index < %d; index += 1) data.items.add(new File(["not an image"], `${index}.png`));
  document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
})()"""


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[RunningServer, Browser]]:
    with pages(STARTER, *LIMITS, api_key="a-secret") as found:
        yield found


@pytest.fixture
def page(running: tuple[RunningServer, Browser]) -> Iterator[Browser]:
    """The page, newly opened, with the key."""
    server, browser = running
    browser.events.clear()
    browser.open(address_of(server))
    browser.run("sessionStorage.setItem('ctc_ocr_api_key', 'a-secret')")
    browser.open(address_of(server))
    yield browser
    check_own(server, browser, "Failed to load resource")


def saved(page: Browser, folder: Path) -> Path:
    """The file that the page saves."""
    page.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
    page.run("document.querySelector('.head .primary').click()")
    file, until = folder / "readings.csv", time.monotonic() + 10
    while not file.exists() or not file.stat().st_size:
        assert time.monotonic() < until
        time.sleep(0.02)
    return file


def set_text(page: Browser, name: str, text: str) -> None:
    """By the keys that a person presses."""
    page.run(f"{{ const field = document.querySelector('input[aria-label=\"Text in {name}\"]'); "
             "field.focus(); field.select(); }")  # fmt: skip
    page.type(text)


def test_a_folder_is_a_table_whose_file_is_a_source_of_labels(page: Browser, tmp_path: Path) -> None:
    folder = tmp_path / "scans, new"
    images = write_captchas(folder, 12)
    (folder / "deeper").mkdir()
    images.append(images[0].rename(folder / "deeper" / "a.png"))
    del images[0]
    (folder / "b.png").write_bytes(b"not an image")
    (folder / "notes.txt").write_text("no image", encoding="utf-8")
    page.drop([folder])
    wait_until_read(page, "12 images read, 1 not")
    shown = texts(page, ".number")
    assert shown[-1] == "Unreadable"
    values = page.run("import('/page/csv.js') && Array.from(document.querySelectorAll('.text-cell'), "
                      "(each) => each.firstChild.value ?? each.textContent)")  # fmt: skip
    assert values[-1] == "not an image; accepted: BMP, GIF, JPEG, PNG, PPM, TIFF, WEBP"
    set_text(page, "scans, new/deeper/a.png", 'x "1", y')
    rows = list(csv.DictReader(io.StringIO(saved(page, tmp_path).read_text(encoding="utf-8"))))
    assert tuple(rows[0]) == HEADER
    confidences = [float(row["confidence"]) for row in rows[:-1]]
    assert confidences == sorted(confidences)
    assert all(shown_probability(float(row["confidence"])) == row["confidence"] for row in rows[:-1])
    assert rows[-1] == dict.fromkeys(HEADER, "") | {"image": "scans, new/b.png", "status": "unreadable"}
    samples, _ = read_source(tmp_path / "readings.csv")
    found = {Path(each.image): each.label for each in samples}
    assert found == {tmp_path / row["image"]: row["text"] for row in rows[:-1] if row["text"]}
    assert found[images[-1]] == 'x "1", y'


def test_rows_open_sort_and_go_on_by_enter(page: Browser, tmp_path: Path) -> None:
    images = write_captchas(tmp_path / "scans", 4, min_length=2)
    page.choose_files("#files", *images)
    wait_until_read(page, "4 images read, 0 not")
    names = [each.name for each in images]
    assert page.run("document.querySelector('[aria-sort=ascending]').textContent") == "Confidence"
    page.run("document.querySelector('thead button').click()")
    assert texts(page, ".name") == names
    page.run("document.querySelector('thead button').click()")
    assert texts(page, ".name") == names[::-1]
    assert page.run("document.querySelector('thead th').ariaSort") == "descending"
    page.run("document.querySelector('.name').focus()")
    page.press("Enter")
    assert page.run("document.querySelector('.name').ariaExpanded") == "true"
    assert texts(page, ".opened .text") == [texts(page, ".text-cell input")[0]]
    set_text(page, names[-1], "corrected")
    assert texts(page, ".opened .text") == ["corrected"]
    assert texts(page, ".corrected .name") == [names[-1]]
    page.press("Enter")
    assert page.run("document.activeElement.ariaLabel") == f"Text in {names[-2]}"
    page.run("document.querySelector('.name').click()")
    assert texts(page, ".opened") == []
    page.wait("Array.from(document.images).every((each) => each.complete) && urls.size === 0")


@pytest.mark.slow
def test_thousands_of_images_are_shown_by_the_hundred_and_can_be_stopped(page: Browser) -> None:
    page.run(DROP_MANY % 3000)
    page.wait("document.querySelectorAll('.name').length === 100")
    page.wait("document.querySelector('progress').value > 10")
    page.run("document.querySelector('#stop').click()")
    wait_until_read(page, "0 images read, 3000 not")
    assert page.run("urls.size") <= 100
    before = len(page.requests())
    rest = page.run("document.querySelector('.head button').textContent")
    assert 0 < int(rest.removeprefix("Read the other ")) < 3000
    page.wait("document.querySelector('.pages').innerText.includes('1 to 100 of 3000')")
    page.run("document.querySelector('.pages button:last-child').click()")
    assert len(texts(page, ".name")) == 100
    page.wait("document.querySelector('.pages').innerText.includes('101 to 200 of 3000')")
    assert not [each for each in page.requests()[before:] if each.endswith("/read")]
    page.run("Array.from(document.querySelectorAll('.head button')).at(1).click()")
    page.wait("urls.size === 0 && document.querySelector('#many').hidden")


def test_a_busy_server_is_waited_for(page: Browser, running: tuple[RunningServer, Browser]) -> None:
    """Another client's request takes all the bytes that may be pending, until it leaves."""
    server, _ = running
    with server.socket() as other:
        head = "POST /read HTTP/1.1\r\nHost: localhost\r\nX-API-Key: a-secret\r\nContent-Type: image/png\r\n"
        other.sendall(f"{head}Content-Length: 99999\r\n\r\n".encode() + b"-" * 99_000)
        time.sleep(0.2)
        drop(page, ("sample.png", SAMPLE.read_bytes()))
        page.wait("document.querySelector('#progress').innerText.includes('the server is busy, next try in 1 s')")
    wait_until_read(page, "0089")


def test_a_server_that_does_not_answer_is_asked_again_when_wanted(page: Browser) -> None:
    def be(offline: bool) -> None:
        page.send(
            "Network.emulateNetworkConditions", offline=offline, latency=0, downloadThroughput=-1, uploadThroughput=-1
        )

    page.wait("performance.getEntriesByName(`${location.href}models`).length")
    be(offline=True)
    drop(page, *((f"{number}.png", SAMPLE.read_bytes()) for number in range(40)))
    wait_until_read(page, "0 images read, 40 not")
    assert set(texts(page, ".problem")) == {"the server does not answer"}
    be(offline=False)
    assert texts(page, ".head button")[0] == "Read the other 40"
    page.run("document.querySelector('.head button').click()")
    wait_until_read(page, "40 images read, 0 not")


def test_a_chosen_folder_is_a_table(page: Browser, tmp_path: Path) -> None:
    images = write_captchas(tmp_path / "scans", 3)
    page.choose_files("#folder", tmp_path / "scans")
    wait_until_read(page, "3 images read, 0 not")
    assert sorted(texts(page, ".name")) == [f"scans/{each.name}" for each in images]


def test_what_is_too_much_for_one_request_is_divided(page: Browser) -> None:
    big = ("big.png", SAMPLE.read_bytes() + b"-" * 200_000)
    drop(page, *((f"{number}.png", SAMPLE.read_bytes()) for number in range(11)), big)
    wait_until_read(page, "11 images read, 1 not")
    assert texts(page, ".text-cell input") == ["0089"] * 11
    (problem,) = texts(page, ".problem")
    assert "maximum" in problem


def test_the_key_is_asked_for(running: tuple[RunningServer, Browser]) -> None:
    server, browser = running
    browser.open(address_of(server))
    browser.run("sessionStorage.clear()")
    browser.open(address_of(server))
    browser.wait("!document.querySelector('#key').hidden")
    assert browser.run("document.activeElement.id") == "key-input"
    browser.type("wrong")
    browser.press("Enter")
    browser.wait("document.querySelector('#key').innerText.includes('does not know this key')")
    browser.type("a-secret")
    browser.press("Enter")
    browser.wait("document.querySelector('#key').hidden")
    drop(browser, ("sample.png", SAMPLE.read_bytes()))
    wait_until_read(browser, "0089")
    assert browser.run("sessionStorage.getItem('ctc_ocr_api_key')") == "a-secret"
    assert browser.run("[localStorage.length, document.cookie]") == [0, ""]


def test_numbers_are_written_as_python_writes_them(page: Browser) -> None:
    values = [0.0, 1.0, 0.5, 0.25, 0.123456789, 0.99999823411, 1 - 1e-12, 9.99999e-5, 1e-5, 3.20451e-19, 1e-300]
    found = page.run(f"import('/page/csv.js').then((csv) => {values}.map((each) => csv.shownProbability(each)))")
    assert found == [shown_probability(each) for each in values]
