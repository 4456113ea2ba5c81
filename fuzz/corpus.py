"""Valid files of each kind, small ones, made anew each time: nothing of them is kept in the repository."""

import base64
import io
import json
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fuzz.mutations import Files

ROOT = Path(__file__).resolve().parent.parent
PICTURE = Image.fromarray(np.tile(np.arange(0, 240, 10, dtype=np.uint8), (10, 1)))
PREFIX = "ocr"


def _files_of(make: Callable[[Path], object]) -> Files:
    """The files that a function writes into a folder."""
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder))
        return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


def _encoded(kind: str, mode: str = "L", **options: Any) -> bytes:
    buffer = io.BytesIO()
    PICTURE.convert(mode).save(buffer, kind, **options)
    return buffer.getvalue()


def images() -> list[Files]:
    """Of all formats that are read, in most of their kinds."""
    several: dict[str, Any] = {"save_all": True, "append_images": [PICTURE.rotate(90)] * 2}
    exif = Image.Exif()
    exif[274] = 6
    found = [
        *(_encoded("PNG", mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")),
        _encoded("PNG", "P", transparency=0), _encoded("PNG", "L", exif=exif),
        *(_encoded("JPEG", mode) for mode in ("L", "RGB", "CMYK")),
        _encoded("JPEG", "RGB", progressive=True, exif=exif),
        _encoded("GIF"), _encoded("GIF", **several), _encoded("BMP"), _encoded("BMP", "RGB"), _encoded("BMP", "1"),
        *(_encoded("PPM", mode) for mode in ("1", "L", "RGB")),
        b"P2\n3 2\n255\n0 9 99\n255 1 2\n", b"P1\n2 2\n0 1\n1 0\n",
        _encoded("WEBP", "RGB"), _encoded("WEBP", "RGBA", lossless=True), _encoded("WEBP", "RGB", **several),
        *(_encoded("TIFF", mode) for mode in ("1", "L", "RGBA", "CMYK", "I;16", "F")), _encoded("TIFF", **several),
        *(_encoded("TIFF", "L", compression=kind) for kind in ("tiff_lzw", "tiff_deflate", "packbits", "jpeg")),
        _encoded("TIFF", "1", compression="group4"),
    ]  # fmt: skip
    return [{"input": each} for each in found]


def models() -> list[Files]:
    from tests.models import save_line_model, save_own_model

    return [
        _files_of(lambda folder: save_own_model(folder / PREFIX)),
        _files_of(lambda folder: save_own_model(folder / PREFIX, lstm_graph="fused", keep_ratio=True)),
        _files_of(lambda folder: save_line_model(folder / PREFIX)),
        _files_of(lambda folder: save_line_model(folder / PREFIX, channels=3, normalise="image", batch_norm=False)),
    ]


def examples() -> list[Files]:
    from tests.models import save_example_model

    def make(loss: str) -> Files:
        return _files_of(lambda folder: save_example_model(str(folder / PREFIX), loss, 4, 10, 6))

    return [make(loss) for loss in ("ctc", "WarpCTC", "Custom")]


def states() -> list[Files]:
    """A model with the state that a trainer saves beside it."""
    from ctc_ocr.checkpoint.model_files import load
    from ctc_ocr.checkpoint.training_state import checksum, save_training_state
    from ctc_ocr.training.best import Best
    from ctc_ocr.training.budget import Budget
    from tests.models import save_own_model

    def make(folder: Path) -> None:
        save_own_model(folder / PREFIX, lstm_graph="fused")
        values = {
            "epochs_done": 1, "batches_done": 0, "num_batches": 10, "falls": 0, "best": asdict(Best(0.5, 2.0)),
            "budget": asdict(Budget(limit=9, end=9, decay_from=9, seconds=1.5)),
            "history": [[1, 320, 1.0] + [0.5] * 7], "data": "x",
            "checksum": checksum(load(folder / PREFIX).arg_params),
        }  # fmt: skip
        arrays = {"0.0": np.ones((24, 10), np.float32), "trained.a": np.ones(3, np.float32)}
        save_training_state(folder / PREFIX, 1, arrays, values)

    return [_files_of(make)]


def onnx_models() -> list[Files]:
    from ctc_ocr.export.onnx import export_onnx
    from tests.models import save_line_model, save_own_model

    def make(folder: Path, save: Callable[[Path], object], quantise: bool) -> None:
        with tempfile.TemporaryDirectory() as other:
            save(Path(other) / PREFIX)
            export_onnx(Path(other) / PREFIX, folder / "ocr.onnx", quantise=quantise)

    return [
        _files_of(lambda folder: make(folder, save_own_model, False)),
        _files_of(lambda folder: make(folder, partial(save_line_model, seed=1), True)),
    ]


def runs() -> list[Files]:
    """A model with the tables of its run."""
    from ctc_ocr.checkpoint.calibration_file import save_calibrations
    from ctc_ocr.checkpoint.history import Row, write
    from ctc_ocr.checkpoint.known_images import KnownImages, save_known_images
    from ctc_ocr.evaluation.calibration import Calibration
    from tests.models import chosen, save_own_model

    def make(folder: Path) -> None:
        save_own_model(folder / PREFIX, lstm_graph="fused")
        save_calibrations(folder / PREFIX, {1: chosen(Calibration(0.7, 0.2)), 2: chosen(None)})
        write(
            folder / PREFIX, [Row(epoch, 100 * epoch, 1.5, 0.01, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 20) for epoch in (1, 2)]
        )
        save_known_images(folder / PREFIX, KnownImages.of([b"0123456789"], [b"abcdefghij"]))

    return [_files_of(make)]


def bundles() -> list[Files]:
    from ctc_ocr.checkpoint.bundling import bundle_model

    def make(folder: Path) -> None:
        with tempfile.TemporaryDirectory() as other:
            for name, content in runs()[0].items():
                (Path(other) / name).write_bytes(content)
            bundle_model(Path(other) / PREFIX, folder / "ocr.zip", epoch=1)

    return [_files_of(make)]


def labels() -> list[Files]:
    """Tables and lists of two images."""
    pictures = {"1.png": _encoded("PNG"), "2.png": _encoded("PNG", "RGB")}
    tables = [
        b"1.png,12\n2.png,34\n", b"image;label;x\n1.png;|a|bc|;5\n2.png;|d|;6\n", b"sep=\t\n1.png\t\"12\"\n",
        "image,label,confidence,status\n1.png,é,0.5,read\n2.png,,0.1,rejected\n".encode("utf-16"),
        "C:\\x\\1.png,ä\n\n2.png,ß".encode("cp1252"), b"\xef\xbb\xbffile,text\n" + b"2.png,99\n" * 50,
    ]  # fmt: skip
    others = {"b.txt": b"1.png\t12\n2.png\t34\n", "labels.json": b'{"1.png": "12", "2.png": "34"}', "1.gt.txt": b"12\n"}
    return [{**pictures, **others, "a.csv": table} for table in tables]


def configs() -> list[Files]:
    from ctc_ocr.config.hyperparameters import Hyperparameters
    from ctc_ocr.config.presets import PRESETS

    found = [Hyperparameters().to_dict(), *PRESETS.values(), {"network": {"cell": "fused"}}]
    return [{"ocr.json": json.dumps(each).encode()} for each in found]


def lookups() -> list[Files]:
    tables = [{"a": 1, "b": 2}, {"tt": 5, "é": 3, "漢": 9, " ": 1}, {str(number): number for number in range(200)}]
    return [{"lookup.json": json.dumps(each).encode()} for each in tables]


def packs() -> list[Files]:
    from ctc_ocr.datasets.packing import pack_source

    def make(folder: Path) -> None:
        with tempfile.TemporaryDirectory() as other:
            for number in range(4):
                PICTURE.rotate(number).save(Path(other) / f"{number}2_x.png")
            pack_source(other, folder / "a")

    return [_files_of(make)]


def fonts() -> list[Files]:
    from tests.fonts import font_with

    def make(name: str) -> Files:
        return _files_of(lambda folder: font_with("0123456789 aA", str(ROOT / "fonts" / name), folder / "a.ttf"))

    return [make(name) for name in ("Ubuntu-M.ttf", "UbuntuMono-R.ttf")]


def requests() -> list[Files]:
    """Requests to the server, as they are sent."""
    from tests.servers import MULTIPART, multipart

    picture = _encoded("PNG")
    body = json.dumps({"images": [base64.b64encode(picture).decode()] * 2}).encode()
    found = [
        _request("GET", "/health"), _request("GET", "/models"), _request("GET", "/metrics"), _request("GET", "/"),
        _request("POST", "/read?alternatives=2", multipart([("a.png", picture), ("b.png", picture)]), MULTIPART),
        _request("POST", "/read", body, "application/json"),
        _request("POST", "/read", picture, "image/png"),
        b"POST /read HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n"
        b"Connection: close\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(picture), picture),
    ]  # fmt: skip
    return [{"request": each} for each in found]


def _request(method: str, path: str, body: bytes = b"", kind: str = "") -> bytes:
    head = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close"]
    if body:
        head += [f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
    return "\r\n".join([*head, "", ""]).encode() + body
