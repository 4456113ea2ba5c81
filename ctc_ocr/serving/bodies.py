"""The images of a request: its body, received within the limits and taken apart."""

from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

from starlette.requests import Request

from ctc_ocr.runtime.input_files import too_large
from ctc_ocr.serving.deadline import deadline
from ctc_ocr.serving.jobs import Upload
from ctc_ocr.serving.json_images import json_images
from ctc_ocr.serving.metrics import Metrics
from ctc_ocr.serving.multipart import MultipartFiles
from ctc_ocr.serving.refusals import Refusal, busy
from ctc_ocr.serving.settings import Limits

MULTIPART, JSON, RAW = "multipart/form-data", "application/json", "application/octet-stream"
ACCEPTED = f"{MULTIPART}, {JSON}, {RAW} or image/*"


class PendingBytes:
    """The bytes of the bodies of all requests that are not answered. Of the event loop's thread."""

    def __init__(self, maximum: int, metrics: Metrics) -> None:
        self.count, self._maximum = 0, maximum
        metrics.pending_bytes.set_function(lambda: self.count)

    def add(self, count: int, own: int) -> None:
        """Of a request that has `own` pending already. Raises Refusal if it is too many."""
        if self.count + count > self._maximum:
            raise busy(f"{self.count - own} bytes of other requests are waiting; the maximum is {self._maximum}")
        self.count += count

    def remove(self, count: int) -> None:
        self.count -= count


@dataclass
class Body:
    """The body of one request, whose bytes count as pending until the `with` block ends."""

    request: Request
    limits: Limits
    pending: PendingBytes
    size: int = 0

    def __enter__(self) -> "Body":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.pending.remove(self.size)

    async def images(self) -> list[Upload]:
        """The images that were sent. Raises Refusal."""
        content_type = self.request.headers.get("content-type", "")
        kind = content_type.partition(";")[0].strip().lower()
        if "content-encoding" in self.request.headers:
            raise Refusal(415, "a body with a content encoding is not accepted")
        self._check_length()
        if kind == MULTIPART:
            files = MultipartFiles(content_type, self.limits.max_images)
            await self._receive(files.write)
            found = files.finish()
        elif kind in (JSON, RAW) or kind.startswith("image/"):
            body = bytearray()
            await self._receive(body.extend)
            raw = [Upload(None, body)] if body else []
            found = json_images(body, self.limits.max_images) if kind == JSON else raw
        else:
            raise Refusal(415, f"content type {kind or 'not given'}; accepted: {ACCEPTED}")
        if not found:
            raise Refusal(400, "no image in the request")
        return found

    def _check_length(self) -> None:
        """What a client says; what comes is counted too."""
        said = self.request.headers.get("content-length", "")
        if said.isdecimal() and int(said) > self.limits.max_request_bytes:
            raise self._too_large(int(said))

    async def _receive(self, take: Callable[[bytes], object]) -> None:
        """Gives the body to `take`, part by part as it arrives."""
        seconds = self.limits.body_seconds
        try:
            async with deadline(seconds):
                async for part in self.request.stream():
                    if self.size + len(part) > self.limits.max_request_bytes:
                        raise self._too_large(self.size + len(part))
                    self.pending.add(len(part), self.size)
                    self.size += len(part)
                    take(part)
        except TimeoutError:
            raise Refusal(408, f"the body of the request did not arrive within {seconds:g} s", close=True) from None

    def _too_large(self, size: int) -> Refusal:
        return Refusal(413, too_large(size, self.limits.max_request_bytes))
