"""What reads a number of images fastest: a Predictor in this process, or several reading processes."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ctc_ocr.checkpoint.run_files import Epoch, is_onnx
from ctc_ocr.checkpoint.starter import model_to_read
from ctc_ocr.decoding.decoder import Decoder
from ctc_ocr.errors import InputError
from ctc_ocr.inference.batch_rows import BATCH_SIZE
from ctc_ocr.inference.predictor import Predictor
from ctc_ocr.inference.reader_pool import ReaderPool
from ctc_ocr.runtime.parent import CAN_START_PROCESSES
from ctc_ocr.runtime.processes import NotSendableError
from ctc_ocr.runtime.threads import available_cores
from ctc_ocr.runtime.types import Context

# Images for each process from which on several are faster: each has to start and to load the model, in the time of some
# hundred captchas. With MXNet it also takes 2.5 s of a core, so several have to be well worth it.
LEAST_IMAGES, LEAST_IMAGES_ONNX = 1000, 500

log = logging.getLogger(__name__)


def fastest_num_proc(model: str | Path, num_images: int, threads: int = 1) -> int:
    """Processes of so many threads each that read so many images fastest: at most one for each core, and one for few
    images."""
    least = LEAST_IMAGES_ONNX if is_onnx(model_to_read(model)) else LEAST_IMAGES
    if not CAN_START_PROCESSES:
        return 1
    return max(1, min(available_cores() // threads, num_images // least))


@contextmanager
def open_reader(
    model: str | Path,
    num_images: int,
    num_proc: int | None = None,
    *,
    epoch: Epoch | None = None,
    batch_size: int = BATCH_SIZE,
    context: Context = None,
    decoder: Decoder | None = None,
    ink: str | None = None,
    threads: int = 1,
) -> Iterator[Predictor | ReaderPool]:
    """What reads about `num_images` images: a Predictor if `num_proc` is 1, else a ReaderPool, which is closed.

    num_proc: reading processes; None: those of `fastest_num_proc`, but one for a GPU, and, with a warning in the log,
        for an architecture of your own that cannot be given to other processes.
    The others are as of Predictor and ReaderPool. `threads` are those of a ReaderPool's processes: this one's are fixed
    when MXNet is imported. Raises InputError as these do, and for several processes with a GPU or on a system (Windows)
    where they cannot be started.
    """
    if context is not None and (num_proc or 1) > 1:
        raise InputError("one process reads with a GPU", "num_proc")
    if (num_proc or 1) > 1 and not CAN_START_PROCESSES:
        raise InputError("this system can read with one process only", "num_proc")
    count = num_proc or (1 if context is not None else fastest_num_proc(model, num_images, threads))
    pool = None
    if count > 1:
        try:
            pool = ReaderPool(
                model, count, epoch=epoch, batch_size=batch_size, decoder=decoder, ink=ink, threads=threads
            )
        except NotSendableError as error:
            if num_proc is not None:
                raise
            log.warning("Reading in one process: a registered architecture %s", error.reason)
    if pool is None:
        yield Predictor(model, epoch, batch_size, context, decoder, ink)
        return
    with pool:
        yield pool
