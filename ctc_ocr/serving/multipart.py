"""The files of a body in the form multipart/form-data, as it arrives."""

import logging

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from ctc_ocr.serving.jobs import Upload
from ctc_ocr.serving.refusals import Refusal

logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # what it warns of is told to whom it concerns


class MultipartFiles:
    """Each part is an image file. `files` has those that are complete. Raises Refusal for a body that is broken, has a
    part that is no file, or more files than max_images."""

    def __init__(self, content_type: str, max_images: int) -> None:
        _, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if not boundary:
            raise Refusal(400, "multipart/form-data without a boundary")
        self.files: list[Upload] = []
        self._max_images = max_images
        self._header, self._value = bytearray(), bytearray()
        self._name: str | None = None
        self._content = bytearray()
        self._is_complete = False
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": lambda data, start, end: self._header.extend(data[start:end]),
                    "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._end_headers,
                    "on_part_data": lambda data, start, end: self._content.extend(memoryview(data)[start:end]),
                    "on_part_end": self._end,
                    "on_end": self._complete,
                },
            )
        except FormParserError as error:
            raise Refusal(400, f"broken multipart/form-data: {error}") from None

    def write(self, data: bytes) -> None:
        """What came next."""
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise Refusal(400, f"broken multipart/form-data: {error}") from None

    def finish(self) -> list[Upload]:
        """The files of the whole body."""
        if not self._is_complete:
            raise Refusal(400, "broken multipart/form-data: it ends before its last boundary")
        return self.files

    def _begin(self) -> None:
        if len(self.files) == self._max_images:
            raise too_many(self._max_images)
        self._name, self._content = None, bytearray()

    def _end_header(self) -> None:
        if bytes(self._header).lower() == b"content-disposition":
            _, options = parse_options_header(bytes(self._value))
            if b"filename" in options:
                self._name = options[b"filename"].decode("utf-8", "replace")
        self._header.clear()
        self._value.clear()

    def _end_headers(self) -> None:
        if self._name is None:
            raise Refusal(400, "a part of multipart/form-data is no file: it has no filename")

    def _end(self) -> None:
        self.files.append(Upload(self._name or None, self._content))

    def _complete(self) -> None:
        self._is_complete = True


def too_many(max_images: int) -> Refusal:
    return Refusal(413, f"too many images in a request; the maximum is {max_images}")
