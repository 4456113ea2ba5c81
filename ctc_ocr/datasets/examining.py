"""Decoding the images of samples, by threads: what each image is, or why its sample is invalid."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from ctc_ocr.alphabet import required_steps
from ctc_ocr.datasets.checked_samples import CheckedSample
from ctc_ocr.datasets.samples import Problem, Sample
from ctc_ocr.datasets.stamps import stamp_of
from ctc_ocr.errors import InputError
from ctc_ocr.images.digest import pixel_digest
from ctc_ocr.images.files import read_image, warnings_as_before
from ctc_ocr.images.grey import grey
from ctc_ocr.images.pixels import has_light_ink
from ctc_ocr.images.region import Region
from ctc_ocr.runtime.thread_map import in_threads

LONG_LABEL = "the label is too long for its image"  # beginning of the reason
StepsOf = Callable[[int, int], int]  # time steps of an image of a width and height


def steps_reason(units: Sequence[str], size: tuple[int, int], steps_of: StepsOf | None) -> str:
    """Why a label does not fit its image; "" if it does."""
    needed = required_steps(units)
    if steps_of is None or needed <= steps_of(*size):
        return ""
    blanks = needed - len(units)
    between = f" and {blanks} blanks between equal neighbours" if blanks else ""
    return (
        f"{LONG_LABEL} of {size[0]}x{size[1]}: it needs {needed} time steps "
        f"({len(units)} units{between}), and the network makes {steps_of(*size)}"
    )


def examine_all(
    samples: Sequence[Sample], reasons: Mapping[int, str], steps_of: StepsOf | None, region: Region
) -> Iterator[CheckedSample | Problem]:
    """Each sample in order: a Problem with its reason if it has one already, or else what examine gives."""

    def examined(index: int) -> CheckedSample | Problem:
        sample, reason = samples[index], reasons.get(index)
        return Problem(sample.where, reason) if reason else examine(sample, steps_of, region)

    with warnings_as_before():
        yield from in_threads(examined, range(len(samples)))


def examine(sample: Sample, steps_of: StepsOf | None, region: Region) -> CheckedSample | Problem:
    """Decode the image of a sample; a Problem if that fails, or if the label does not fit it."""
    stamp = stamp_of(sample)
    try:
        image = read_image(sample.read_bytes(), sample.place, channels=3)
    except InputError as error:
        return Problem.of(error)
    seen = region.cut(image)
    height, width = seen.shape[:2]
    if reason := steps_reason(sample.units, (width, height), steps_of):
        return Problem(sample.where, reason)
    return CheckedSample(sample, (width, height), pixel_digest(image), has_light_ink(grey(seen, region.grey)), stamp)
