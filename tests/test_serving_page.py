"""The page of `ctc-ocr serve`, in a real browser: one image, however it came, and what the page shows of it."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

import ctc_ocr
from ctc_ocr.serving.web_page import FILES, FOLDER
from docs_tools import page_pictures
from tests.browser import CHROMIUM, Browser
from tests.servers import STARTER, RunningServer
from tests.serving_pages import address_of, check_own, drop, pages, paste, texts, wait_until_read

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

SAMPLE = Path(__file__).resolve().parent.parent / "docs" / "sample.png"
SAID = "0089. Not quite sure"
# Of each character: where its bracket begins and ends, in pixels of the image; its box; and the image's scale.
DRAWN = """(() => {
  const scale = document.querySelector(".picture img").getBoundingClientRect().width / %d;
  const start = document.querySelector(".strip-canvas").getBoundingClientRect().left;
  const brackets = Array.from(document.querySelectorAll(".strip path"),
    (each) => [each.getBBox().x / scale, (/H([0-9.]+)/.exec(each.getAttribute("d"))[1]) / scale]);
  const boxes = Array.from(document.querySelectorAll(".character"), (each) => each.getBoundingClientRect())
    .map(({ left, right }) => [left - start, right - start]);
  return { scale, brackets, boxes };
})()"""


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[RunningServer, Browser]]:
    with pages(STARTER, f"other={STARTER}") as found:
        yield found


@pytest.fixture
def page(running: tuple[RunningServer, Browser]) -> Iterator[Browser]:
    """The page, newly opened. In the end: it asked no other host for anything, and nothing went wrong."""
    server, browser = running
    browser.events.clear()
    browser.open(address_of(server))
    yield browser
    assert len(browser.requests()) >= 4
    check_own(server, browser, "status of 422")


def test_a_chosen_image_is_shown_with_its_text_and_confidence(page: Browser) -> None:
    confidence = ctc_ocr.Predictor("starter").read(SAMPLE).confidence or 0.0
    page.choose_files("#files", SAMPLE)
    wait_until_read(page, SAID)
    assert texts(page, ".text") == ["0089"]
    assert texts(page, ".confidence") == [f"{100 * confidence:.0f}\u00a0% Not quite sure: compare it with the image"]
    assert texts(page, ".character") == ["065%", "078%", "8>99%", "9>99%"]
    levels = page.run("Array.from(document.querySelectorAll('.character'), (each) => each.classList[1])")
    assert levels == ["middle", "middle", "high", "high"]
    page.wait("document.querySelector('.picture img').complete && urls.size === 0")


def test_characters_stand_below_their_places(page: Browser, running: tuple[RunningServer, Browser]) -> None:
    (reading,) = running[0].read([("a.png", SAMPLE.read_bytes())]).readings
    page.choose_files("#files", SAMPLE)
    wait_until_read(page, SAID)
    for width in (1200, 390):
        page.resize(width, 800)
        drawn = page.wait(f"(() => {{ const found = {DRAWN % 160}; return found.boxes[0][1] > 0 && found; }})()")
        for character, (left, right) in zip(reading["characters"], drawn["brackets"], strict=True):
            assert abs(left - character["left"]) < 1.1
            assert abs(right - character["right"]) < 1.1
        boxes = drawn["boxes"]
        assert all(one[1] < other[0] for one, other in zip(boxes, boxes[1:], strict=False))
        assert all(right - left >= 40 for left, right in boxes)
    page.resize(1200, 800)


def test_what_else_it_could_be_is_shown_for_pointer_focus_and_tap(page: Browser) -> None:
    page.choose_files("#files", SAMPLE)
    wait_until_read(page, SAID)
    about = "document.querySelector('.about-character').textContent.replaceAll('\\u00a0', ' ').trim()"
    assert page.run(about) == "0 65 %. It could also be O 12 %o 2 %"  # the least probable one
    centres = page.run(
        "Array.from(document.querySelectorAll('.character'), (each) => each.getBoundingClientRect())"
        ".map(({ left, right, top }) => [(left + right) / 2, top + 10])"
    )
    page.send("Input.dispatchMouseEvent", type="mouseMoved", x=centres[1][0], y=centres[1][1])
    page.wait(f"{about} === '0 78 %. It could also be O 18 %o 3 %D 0.9 %C 0.2 %'")
    page.run("document.querySelectorAll('.character')[2].focus()")
    page.wait(f"{about} === '8 99.8 %. Nothing else has more than 0.1 %.'")
    page.send("Emulation.setTouchEmulationEnabled", enabled=True)
    for kind, points in (("touchStart", [{"x": centres[0][0], "y": centres[0][1]}]), ("touchEnd", [])):
        page.send("Input.dispatchTouchEvent", type=kind, touchPoints=points)
    page.wait(f"{about}.startsWith('0 65 %')")
    page.send("Emulation.setTouchEmulationEnabled", enabled=False)
    assert page.run("document.querySelector('.character').ariaLabel").startswith("0, 65")


@pytest.mark.parametrize("put", [drop, paste])
def test_dropped_and_pasted_images_are_read(put, page: Browser) -> None:
    put(page, ("notes.txt", b"hello"))
    wait_until_read(page, "not an image")
    put(page, ("sample.png", SAMPLE.read_bytes()))  # it takes the other one's place
    wait_until_read(page, SAID)
    assert texts(page, ".text") == ["0089"]
    assert texts(page, "#single .message") == []


def test_an_image_that_cannot_be_read_says_why(page: Browser) -> None:
    drop(page, ("notes.txt", b"hello"))
    wait_until_read(page, "not an image")
    expected = "notes.txt: not an image; accepted: BMP, GIF, JPEG, PNG, PPM, TIFF, WEBP"
    assert texts(page, "#single .message") == [expected]


def test_a_photo_that_was_taken_upright_is_shown_as_it_is_read(page: Browser) -> None:
    """Its pixels lie on their side, and its EXIF data say so."""
    exif, photo = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6
    Image.open(SAMPLE).convert("L").rotate(90, expand=True).save(photo, "JPEG", exif=exif, quality=95)
    drop(page, ("photo.jpg", photo.getvalue()))
    wait_until_read(page, "0089")
    page.wait("document.querySelector('.picture img').naturalWidth === 160")
    scale = page.run("document.querySelector('.picture').clientWidth / document.querySelector('.picture').clientHeight")
    assert abs(scale - 160 / 60) < 0.02


def test_a_folder_without_images_says_so(page: Browser, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello", encoding="utf-8")
    page.drop([tmp_path])
    page.wait("document.querySelector('#message').innerText.startsWith('There is no image in it.')")


def test_text_is_copied_where_the_browser_keeps_the_clipboard_from_pages(page: Browser) -> None:
    page.run("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    page.choose_files("#files", SAMPLE)
    wait_until_read(page, SAID)
    page.run("document.querySelector('.detail button').click()")
    page.wait("document.querySelector('.detail button').textContent === 'Copied'")
    assert page.run("getSelection().toString()") == "0089"


def test_another_model_reads_the_image_again(page: Browser) -> None:
    page.wait("!document.querySelector('#model').hidden")
    assert texts(page, "#model option") == ["starter", "other"]
    page.choose_files("#files", SAMPLE)
    wait_until_read(page, SAID)
    page.run("{ const each = document.querySelector('#model select'); each.value = 'other';"
             " each.dispatchEvent(new Event('change')); }")  # fmt: skip
    page.wait("performance.getEntriesByName(`${location.href}models/other/read`).length")


def test_by_keyboard_alone(page: Browser) -> None:
    """To a button, whose dialog opens; to the characters, and from one to the next."""
    page.send("Page.setInterceptFileChooserDialog", enabled=True)
    focused = "document.activeElement.textContent"
    for _ in range(20):
        page.press("Tab")
        if page.run(focused) == "Choose images":
            break
    outline = page.run("getComputedStyle(document.activeElement).outlineWidth")
    assert outline == "3px"
    page.press("Enter")
    page.wait("true")
    assert [each for each in page.events if each["method"] == "Page.fileChooserOpened"]
    page.send("Page.setInterceptFileChooserDialog", enabled=False)
    page.choose_files("#files", SAMPLE)
    wait_until_read(page, SAID)
    found = []
    for _ in range(4):
        page.press("Tab")
        found.append(page.run(focused))
    assert found[1:3] == ["Copy", "065%"]
    page.press("Tab", modifiers=8)
    page.press("ArrowRight")
    assert page.run(focused) == "078%"
    page.press("Home")
    assert page.run(focused) == "065%"
    page.press("Tab", modifiers=8)
    page.send("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    page.press("Enter")
    page.wait(f"{focused} === 'Copied'")
    assert page.run("navigator.clipboard.readText()") == "0089"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(scheme: str, page: Browser) -> None:
    """Of every text, at least 4.5 to 1 (WCAG AA)."""
    still = {"name": "prefers-reduced-motion", "value": "reduce"}  # no colours of a transition between two
    page.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}, still])
    drop(page, ("sample.png", SAMPLE.read_bytes()))
    wait_until_read(page, SAID)
    drop(page, ("a.txt", b"hello"), ("sample.png", SAMPLE.read_bytes()))
    wait_until_read(page, "1 image read, 1 not")
    page.run("document.querySelector('.name').click()")
    ratios = page.run((Path(__file__).parent / "contrast.js").read_text(encoding="utf-8"))
    page.send("Emulation.setEmulatedMedia", features=[])
    assert len(ratios) > 15
    assert [(text, ratio) for text, ratio in ratios if ratio < 4.5] == []


def test_a_narrow_screen_scrolls_the_strip_and_not_the_page(page: Browser, tmp_path: Path) -> None:
    data = ctc_ocr.Data(min_length=9, max_length=9, width=320, height=60)
    ctc_ocr.CaptchaWriter.create(data, seed=3).write_folder(tmp_path, 1)
    page.resize(360, 740, phone=True)
    page.choose_files("#files", tmp_path / "000000.png")
    page.wait("document.querySelectorAll('.character').length > 6")
    page.wait("document.querySelector('.strip').scrollWidth > document.querySelector('.strip').clientWidth")
    assert page.run("document.documentElement.scrollWidth") == 360
    assert page.run("getComputedStyle(document.querySelector('#choose-photo')).display") != "none"
    page.resize(1200, 800)


def test_files_are_served_by_a_list_of_names_under_a_strict_policy(running: tuple[RunningServer, Browser]) -> None:
    server, _ = running
    assert sorted(name for name, _ in FILES.values()) == sorted(each.name for each in FOLDER.iterdir())
    for path, (_, media_type) in FILES.items():
        answer = server.get(path)
        assert (answer.status, answer.headers["content-type"]) == (200, media_type)
        assert answer.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'; ")
    for path in ("/page/", "/page/index.html", "/page/../web_page.py", "/page/%2e%2e/web_page.py", "/page//etc/passwd"):
        assert server.get(path).status == 404


def test_boxes_are_placed_as_near_as_can_be(page: Browser) -> None:
    cases = [
        ([10, 50, 90], [20, 20, 20], 100),  # room for all
        ([50, 50, 50], [20, 20, 20], 100),  # around their place
        ([0, 1, 99], [20, 20, 20], 100),  # at the edges
        ([5, 10], [60, 60], 100),  # no room
        ([], [], 100),
    ]
    placed = f"({{ place }}) => {json.dumps(cases)}.map((each) => place(...each))"
    found = page.run(f"import('/page/placement.js').then({placed})")
    assert found == [[10, 50, 90], [30, 50, 70], [10, 30, 90], [30, 90], []]


@pytest.mark.slow
def test_the_pictures_of_the_page_are_small(tmp_path: Path) -> None:
    page_pictures.main(tmp_path)
    assert sorted(each.name for each in tmp_path.glob("*.png")) == [
        "serve_desktop.png", "serve_phone.png", "serve_table.png",
    ]  # fmt: skip
    assert all(each.stat().st_size < 120_000 for each in tmp_path.iterdir())
