"""The images of a body in the form {"images": ["<base64>", ...]}."""

import json

from ctc_ocr.serving.jobs import Upload
from ctc_ocr.serving.multipart import too_many
from ctc_ocr.serving.refusals import Refusal

EXPECTED = 'expected {"images": ["<base64>", ...]}'


def json_images(body: bytes | bytearray, max_images: int) -> list[Upload]:
    """Raises Refusal for anything else, and for more images than max_images.

    The brackets and commas are counted first: base64 has none, and JSON with millions of them would take many times
    the memory of its text.
    """
    if body.count(b",") > max_images:
        raise too_many(max_images)
    if body.count(b"{") > 1 or body.count(b"[") > 1:
        raise Refusal(400, EXPECTED)
    try:
        found = json.loads(body)
    except ValueError as error:  # JSON that is broken, or text that is not UTF-8
        raise Refusal(400, f"not JSON: {error}") from None
    images = found.get("images") if isinstance(found, dict) and len(found) == 1 else None
    if not isinstance(images, list) or not all(isinstance(each, str) for each in images):
        raise Refusal(400, EXPECTED)
    if len(images) > max_images:
        raise too_many(max_images)
    return [Upload(None, each) for each in images]
