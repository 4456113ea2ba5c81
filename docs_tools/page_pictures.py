"""docs/serve_desktop.png, serve_phone.png and serve_table.png: the page of `ctc-ocr serve`, in Chromium. In a checkout:

python -m docs_tools.page_pictures docs
"""

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image

import ctc_ocr
from tests.browser import Browser
from tests.servers import STARTER
from tests.serving_pages import address_of, pages, wait_until_read

SAMPLE = Path(__file__).resolve().parent.parent / "docs" / "sample.png"
DESKTOP, PHONE = (1200, 800), (390, 844)
COLOURS = 128
NUM_IMAGES = 12


def main(folder: Path) -> None:
    with pages(STARTER) as (server, browser), tempfile.TemporaryDirectory() as temporary:
        browser.open(address_of(server))
        for name, (width, height) in (("desktop", DESKTOP), ("phone", PHONE)):
            browser.resize(width, height, phone=name == "phone")
            browser.choose_files("#files", SAMPLE)
            wait_until_read(browser, "0089")
            save(browser, folder / f"serve_{name}.png")
        browser.resize(*DESKTOP)
        browser.open(address_of(server))
        browser.drop([write_images(Path(temporary) / "scans")])
        wait_until_read(browser, f"{NUM_IMAGES} images read")
        save(browser, folder / "serve_table.png")


def write_images(folder: Path) -> Path:
    data = ctc_ocr.Data(alphabet="0123456789", min_length=4, max_length=6, width=160, height=60)
    ctc_ocr.CaptchaWriter.create(data, seed=2).write_folder(folder, NUM_IMAGES)
    return folder


def save(browser: Browser, path: Path) -> None:
    """What the window shows, once its pictures are drawn."""
    browser.run(
        "Promise.all(Array.from(document.images, (each) => each.decode().catch(() => 0)))"
        ".then(() => new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn, 200))))"
    )
    image = Image.open(io.BytesIO(browser.screenshot())).convert("RGB")
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
