"""Whether the file of an image is still the one that was checked, by its size and the time of its last change.

A stamp is made before a file is read the first time, and compared after it is read again. It takes four bytes for each
image and one system call, where a digest would need each image to be decoded in the same way twice.
"""

import struct
import zlib
from pathlib import Path

from ctc_ocr.datasets.samples import Sample
from ctc_ocr.errors import InputError

UNKNOWN = 0  # the stamp of a sample that is read by a class of the user, or was not checked
SIZE_AND_TIME = struct.Struct("<qq")


def stamp_of(sample: Sample) -> int:
    """The stamp of the image file or of the pack that a sample is in, 1 to 2**32 - 1; or UNKNOWN, also for a file that
    cannot be looked at: reading it says why."""
    if not sample.is_read_here:
        return UNKNOWN
    try:
        status = Path(sample.image).stat()
    except (OSError, ValueError):
        return UNKNOWN
    return zlib.crc32(SIZE_AND_TIME.pack(status.st_size, status.st_mtime_ns)) or 1


def refuse_changed(sample: Sample, stamp: int) -> None:
    """Raises InputError with the sample's place if its file has not this stamp."""
    if stamp != UNKNOWN and stamp_of(sample) != stamp:
        what = "file" if sample.is_file else "pack"
        raise InputError(
            f"the {what} was changed after its images were checked: start again, or put the old one back and resume",
            sample.place,
        )
