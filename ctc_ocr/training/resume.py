"""Where a run stands that is resumed, and whether it can be."""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.checkpoint.description import Model
from ctc_ocr.checkpoint.model_files import Checkpoint, load
from ctc_ocr.checkpoint.run_files import description_path, epochs, state_path, unfinished_path
from ctc_ocr.checkpoint.stored_model import StoredRun
from ctc_ocr.checkpoint.training_state import checksum, load_state, load_training_state
from ctc_ocr.errors import InputError
from ctc_ocr.runtime.input_files import read_bytes
from ctc_ocr.training.run_state import RunState
from ctc_ocr.training.state_values import check_arrays, check_values, check_vectors

# Hyperparameters that change only how the run goes on, and not what its files mean.
MAY_CHANGE = ("renderer", "dropout")  # not lstm_graph: the weights are in another order in its vectors
# What the names of arrays in a training state begin with; the optimizer's begin with a number.
TRAINED = "trained."  # the weights by their names
OF_NETWORK, AVERAGE = "network.", "average."  # vectors, in a state within an epoch
FROZEN = "frozen."  # likewise, arrays of frozen layers
Arrays = dict[str, NDArray[Any]]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ResumePoint:
    """A checkpoint with its optimizer state, or the state within an epoch, and how far its run was."""

    stored: StoredRun  # of the run: its description, and the epoch of the checkpoint, 0 without one
    state_file: Path
    model: Model
    checkpoint: Checkpoint | None
    optimizer_state: Arrays
    trained: Arrays  # the weights, where those of the checkpoint are their running average
    vectors: Arrays  # within an epoch, without a checkpoint: those of the network
    average: Arrays  # likewise, of the running average
    frozen: Arrays  # likewise, of frozen layers
    state: RunState
    sums: tuple[tuple[float, ...], ...]  # of the epoch under way, of each worker

    @property
    def prefix(self) -> str:
        return self.stored.prefix


def newest(prefix: str) -> ResumePoint:
    """Where the run under `prefix` goes on: the state within an epoch, or the newest checkpoint that is whole and whose
    weights and optimizer state belong together; after a crash they may not. Logs what is not whole. Raises InputError
    if nothing is.
    """
    if description_path(prefix).exists():
        read_model(prefix)  # if that is broken, no epoch is whole
    point, errors = newest_whole(prefix)
    within = _unfinished(prefix, errors)
    if within and (point is None or within.state.updates_done > point.state.updates_done):
        point = within
    if point is None:
        if len(errors) == 1:
            raise errors[0]
        newest_one = f": none is whole, the newest for this reason: {errors[0]}" if errors else ""
        raise InputError(f"no checkpoint to resume{newest_one}", prefix)
    log_unused(errors)
    return point


def newest_whole(prefix: str, up_to: float = math.inf) -> tuple[ResumePoint | None, list[InputError]]:
    """The newest epoch, of those up to a number, that is whole; None if none is. And what is wrong with those after
    it."""
    errors = list[InputError]()
    for epoch in reversed(epochs(prefix)):
        if epoch > up_to:
            continue
        try:
            return at_epoch(prefix, epoch), errors
        except InputError as error:
            errors.append(error)
    return None, errors


def log_unused(errors: Sequence[InputError]) -> None:
    """Warn of what is damaged."""
    for each in errors:
        log.warning("Damaged or incomplete, and not used: %s", each)


def at_epoch(prefix: str, epoch: int) -> ResumePoint:
    """The checkpoint of an epoch. Raises InputError if one of its files is broken or does not belong to the others."""
    checkpoint = load(prefix, epoch)
    if checkpoint.model is None:
        raise InputError("missing, and needed to resume a run", description_path(prefix))
    arrays, values = load_training_state(prefix, epoch)
    path = state_path(prefix, epoch)
    point = _point(StoredRun(prefix, epoch), path, checkpoint.model, checkpoint, arrays, values)
    if values["checksum"] != checksum(checkpoint.arg_params):
        raise InputError("its optimizer state belongs to other weights", checkpoint.params_file)
    return point


def _unfinished(prefix: str, errors: list[InputError]) -> ResumePoint | None:
    """The state within an epoch, if there is one; `errors` gets the reason if it is broken."""
    path = unfinished_path(prefix)
    if not path.exists():
        return None
    try:
        return _point(StoredRun(prefix, 0), path, read_model(prefix), None, *load_state(path))
    except InputError as error:
        errors.append(error)
        return None


def read_model(prefix: str) -> Model:
    """The description of a run. Raises InputError if it is missing or broken."""
    path = description_path(prefix)
    return Model.from_json(read_bytes(path), path)


def _point(
    stored: StoredRun,
    path: Path,
    model: Model,
    checkpoint: Checkpoint | None,
    arrays: Arrays,
    values: Mapping[str, Any],
) -> ResumePoint:
    """Raises InputError for a state that this package has not written."""
    named = {beginning: _taken(arrays, beginning) for beginning in (TRAINED, OF_NETWORK, AVERAGE, FROZEN)}
    try:
        for each in (arrays, *named.values()):
            check_arrays(each)
        check_vectors(named[OF_NETWORK])
        check_vectors(named[AVERAGE])
        check_values(values, checkpoint.epoch if checkpoint else None)
        state = RunState.from_values(values, stored.prefix)
        sums = tuple(tuple(map(float, each)) for each in values.get("sums", ()))
    except (KeyError, TypeError, ValueError, IndexError):
        raise InputError("not a training state of this package", path) from None
    return ResumePoint(
        stored, path, model, checkpoint, arrays, named[TRAINED], named[OF_NETWORK], named[AVERAGE], named[FROZEN],
        state, sums,
    )  # fmt: skip


def _taken(arrays: Arrays, beginning: str) -> Arrays:
    """Takes the arrays whose names have this beginning; returns them without it."""
    names = [name for name in arrays if name.startswith(beginning)]
    return {name.removeprefix(beginning): arrays.pop(name) for name in names}


def check_resumable(point: ResumePoint, model: Model, num_batches: int, fingerprint: str) -> None:
    """Raises InputError if a run with these settings and images would not be the same run. Logs what changes."""
    before, now = point.model.hyperparameters.to_dict(), model.hyperparameters.to_dict()
    for section, values in now.items():
        for name, value in values.items():
            old = before[section][name]
            if old == value:
                continue
            if _must_stay(section, name, is_generated=not fingerprint):
                reason = f"cannot resume: the run has {name}={old}, and {value} was given; {_start_anew(point.prefix)}"
                raise InputError(reason, point.prefix)
            log.info("Resuming with %s=%s; it was %s before", name, value, old)
    _refuse_other_alphabet(point.prefix, point.model.alphabet, model.alphabet)
    if point.state.num_batches != num_batches:
        raise InputError(
            f"cannot resume: its epochs have {point.state.num_batches} batches, and these settings give {num_batches}; "
            "resume with the same images, batch_size and samples_per_epoch",
            point.prefix,
        )
    if point.state.fingerprint != fingerprint:
        raise InputError(
            "cannot resume: the run has other images, or another split into training and validation; "
            f"{_start_anew(point.prefix)}",
            point.prefix,
        )


def check_parameters(checkpoint: Checkpoint, own: Arrays) -> None:
    """Raises InputError if a checkpoint's parameters have not the names and shapes of those of the run's network."""
    stored = {**checkpoint.arg_params, **checkpoint.aux_params}
    if {name: each.shape for name, each in stored.items()} != {name: each.shape for name, each in own.items()}:
        raise InputError(f"not of the network that {checkpoint.description_file} describes", checkpoint.params_file)


def _must_stay(section: str, name: str, is_generated: bool) -> bool:
    """Whether a hyperparameter says what a run's files mean, or which images follow. With another seed, other captchas
    would validate; the split of labelled images stays what it is. What one optimizer has saved may look like what
    another one saves, and means something else."""
    if section in ("training", "augmentation"):
        return name in ("batch_size", "optimizer") or (name == "seed" and is_generated)
    return name not in MAY_CHANGE


def check_fraction(point: ResumePoint, given: float | None) -> None:
    """Raises InputError for a validation_fraction that is not that of a run, whose images stay in their parts. Logs one
    that cannot be compared. None or 0: none is given."""
    if not given or given == point.state.validation_fraction:
        return
    if point.state.validation_fraction is None:
        log.warning("validation_fraction %g has no effect: a run that is resumed keeps its split", given)
        return
    raise InputError(
        f"cannot resume: the run was not begun with validation_fraction {given:g}; leave it out to go on with the same "
        f"split; {_start_anew(point.prefix)}",
        point.prefix,
    )


def check_alphabet(prefix: str, alphabet: Alphabet) -> None:
    """Raises InputError if a run has another alphabet than the one that is given, before labels are checked with it."""
    _refuse_other_alphabet(prefix, read_model(prefix).alphabet, alphabet)


def _refuse_other_alphabet(prefix: str, of_run: Alphabet, now: Alphabet) -> None:
    if of_run != now:
        raise InputError(f"cannot resume: the run has another alphabet; {_start_anew(prefix)}", prefix)


def _start_anew(prefix: str) -> str:
    return f"--init_from {prefix} and another --prefix start a new run from its weights, as far as they fit"
