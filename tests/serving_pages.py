"""The server's page in a browser under test."""

import base64
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import ctc_ocr
from tests.browser import Browser, browsing
from tests.servers import ROOT, RunningServer, serving

# Counts the pictures whose files a page holds in memory.
COUNT_URLS = """
globalThis.urls = new Set();
const [make, revoke] = [URL.createObjectURL, URL.revokeObjectURL];
URL.createObjectURL = (what) => { const url = make.call(URL, what); urls.add(url); return url; };
URL.revokeObjectURL = (url) => { urls.delete(url); revoke.call(URL, url); };
"""
READ = "document.querySelector('#progress').hidden && document.querySelector('#said').textContent.includes({said!r})"


@contextmanager
def pages(*arguments: str | Path, api_key: str | None = None) -> Iterator[tuple[RunningServer, Browser]]:
    """A server with these arguments, and a browser beside it."""
    key = {} if api_key is None else {"CTC_OCR_API_KEY": api_key}
    with serving(*arguments, cwd=ROOT, **key) as server, browsing() as browser:
        browser.send("Page.addScriptToEvaluateOnNewDocument", source=COUNT_URLS)
        browser.resize(1200, 800)
        yield server, browser


def address_of(server: RunningServer) -> str:
    return f"http://127.0.0.1:{server.port}/"


def check_own(server: RunningServer, browser: Browser, expected: str) -> None:
    """No other host was asked for anything, and nothing went wrong but what is expected to."""
    own = (address_of(server), f"blob:{address_of(server)}")
    assert [each for each in browser.requests() if not each.startswith(own)] == []
    assert [each for each in browser.problems() if expected not in each] == []


def files_in_page(*files: tuple[str, bytes]) -> str:
    """JavaScript: a DataTransfer with files of these names and contents."""
    made = ", ".join(
        f"new File([Uint8Array.from(atob('{base64.b64encode(content).decode()}'), (each) => each.charCodeAt(0))], "
        f"{json.dumps(name)})"
        for name, content in files
    )
    added = f"for (const each of [{made}]) data.items.add(each)"
    return f"(() => {{ const data = new DataTransfer(); {added}; return data; }})()"


def drop(browser: Browser, *files: tuple[str, bytes]) -> None:
    """As a script can: with a DragEvent."""
    data = files_in_page(*files)
    browser.run(
        f"{{ const dataTransfer = {data}; for (const kind of ['dragenter', 'dragover', 'drop']) document.body"
        ".dispatchEvent(new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true })); }"
    )


def paste(browser: Browser, *files: tuple[str, bytes]) -> None:
    data = files_in_page(*files)
    browser.run(
        "document.body.dispatchEvent(new ClipboardEvent('paste', "
        f"{{ clipboardData: {data}, bubbles: true, cancelable: true }})) && 0"
    )


def wait_until_read(browser: Browser, said: str) -> None:
    """Until the page has told a screen reader the outcome, with these words in it."""
    browser.wait(READ.format(said=said))


def texts(browser: Browser, selector: str) -> Sequence[str]:
    found: list[str] = browser.run(
        f"Array.from(document.querySelectorAll({json.dumps(selector)}), (each) => each.value || each.textContent)"
    )
    return found


def write_captchas(folder: Path, count: int, min_length: int = 1) -> list[Path]:
    """Generated images, in the order of their names."""
    data = ctc_ocr.Data(min_length=min_length, max_length=6)
    ctc_ocr.CaptchaWriter.create(data, seed=3).write_folder(folder, count)
    return sorted(folder.glob("*.png"))
