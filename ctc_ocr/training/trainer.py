"""Where the layers meet: data, symbol, loss, optimizer and checkpoints, over one mx.mod.Module."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from ctc_ocr import losses, symbols
from ctc_ocr.alphabet import unpad_labels
from ctc_ocr.checkpoint import model_files, training_state
from ctc_ocr.checkpoint.description import Model
from ctc_ocr.checkpoint.model_files import Checkpoint
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.config.sections import Training
from ctc_ocr.datasets.iterator import BatchIter
from ctc_ocr.errors import InputError, RunError
from ctc_ocr.evaluation.metrics import edit_distances
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.training.best import Best
from ctc_ocr.training.events import BatchEnd, Callback, EpochEnd, Reading, Report, Saved
from ctc_ocr.training.initialisation import initial_parameters
from ctc_ocr.training.interrupts import Interrupts
from ctc_ocr.training.optimizer import (
    clip_global_norm,
    make_optimizer,
    restore_state,
    state_arrays,
    sum_over_devices,
)
from ctc_ocr.training.progress import Clock, Sums
from ctc_ocr.training.resuming import ResumePoint
from ctc_ocr.training.schedules import Schedule
from ctc_ocr.training.transfer import Taken, transfer

REPORT_EVERY = 50  # batches, as in MXNet's example

log = logging.getLogger(__name__)


def training_symbol(model: Model) -> Any:
    """Inputs data (N, H, W) uint8, steps (N,) with keep_ratio, and label (N, L).

    Outputs loss (N,) and best path (N, T). It is the same for images of any width.
    """
    settings = model.hyperparameters
    steps = mx.sym.Variable("steps") if settings.data.keep_ratio else None
    logits = symbols.logits(mx.sym.Variable("data"), settings, model.alphabet.num_classes, steps)
    return losses.attach(settings.training.loss, logits, mx.sym.Variable("label"), steps)


class Trainer:
    """Trains a model on one or several devices; `callbacks` get the events of training/events.py in their order.

    `fingerprint` is that of the images: a run goes on only with those it was begun with.

    A run's state is the weights, the optimizer's state, how much of how many epochs is done, and how validation went:
    what save() writes and resume() reads.
    """

    def __init__(
        self,
        model: Model,
        data: BatchIter,
        contexts: Sequence[Any],
        callbacks: Sequence[Callback] = (),
        fingerprint: str = "",
    ) -> None:
        self.model = model
        self.epochs_done = 0
        self.batches_done = 0  # of the epoch under way
        self.best = Best()
        self._settings = model.hyperparameters.training
        self._num_batches = data.num_batches
        self._samples_per_epoch = data.num_samples
        self._num_devices = len(contexts)
        self._fingerprint = fingerprint
        self._callbacks = callbacks
        self.symbol = training_symbol(model)
        inputs = [each.name for each in data.provide_data]
        # A Module for each width of batches, all with the same parameters; captchas have one width.
        self.modules = mx.mod.BucketingModule(
            lambda width: (self.symbol, inputs, ["label"]), data.default_bucket_key, context=list(contexts)
        )
        self.modules.bind(data.provide_data, data.provide_label)
        self._init_parameters()
        self._init_optimizer(self._settings, self._num_steps)

    def _init_parameters(self) -> None:
        inputs = {each.name: each.shape for each in [*self.module.data_shapes, *self.module.label_shapes]}
        shapes, _, _ = self.symbol.infer_shape(**inputs)
        weights = {n: s for n, s in zip(self.symbol.list_arguments(), shapes, strict=True) if n not in inputs}
        values = initial_parameters(weights, np.random.default_rng(self._settings.seed))
        self.modules.init_params(arg_params={name: mx.nd.array(value) for name, value in values.items()})

    def _init_optimizer(self, settings: Training, num_steps: int, falls: int = 0) -> None:
        self._schedule = Schedule(settings, num_steps, falls)
        optimizer = make_optimizer(settings, self._schedule, self.steps_done)
        # No key-value store: the gradients of several devices are added in _step, before their norm is bounded.
        self.modules.init_optimizer(kvstore=None, optimizer=optimizer, force_init=True)

    @property
    def module(self) -> Any:
        """The Module of the width that came last."""
        return self.modules._curr_module

    def parameters(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Weights and moving averages as they are now: {name: NDArray on the CPU} each."""
        # An executor's backward changes the moving averages without telling MXNet's engine that it writes: who reads
        # them does not wait for it, and can get those of the step before.
        mx.nd.waitall()
        arguments, auxiliary = self.modules.get_params()
        return arguments, auxiliary

    @property
    def _num_steps(self) -> int:
        """Updates of a run of all epochs."""
        return int(self._settings.num_epoch * self._num_batches)

    @property
    def steps_done(self) -> int:
        """Updates made since the run began."""
        return int(self.epochs_done * self._num_batches + self.batches_done)

    def fit(self, data: BatchIter, validation: BatchIter, prefix: str, waited: Callable[[], float]) -> bool:
        """Train to the last epoch, to the target accuracy, or until validation stands still for stop_patience epochs;
        a checkpoint an epoch under `prefix`.

        `data` gives what comes after steps_done; `waited` the seconds spent waiting for it so far. Returns False if
        Ctrl-C ended the run before that: the state at that moment is saved as the checkpoint of the epoch under way.
        Raises RunError if the loss is no longer finite.
        """
        target = self._settings.target_accuracy
        with Interrupts() as interrupts:
            while self.epochs_done < self._settings.num_epoch and not self._stands_still():
                clock = Clock(waited)
                sums = self._train_epoch(data, interrupts, waited)
                if self.batches_done < self._num_batches:
                    self.save(prefix, self.epochs_done + 1)
                    return False
                seconds, waiting = clock.read()
                self.epochs_done, self.batches_done = self.epochs_done + 1, 0
                rate = self._schedule(self.steps_done)
                validated, readings = self._validated(validation)
                self._note(validated)
                self.save(prefix, self.epochs_done)
                self._tell(self._epoch_end(sums, validated, readings, seconds, waiting, rate))
                if target and validated.tally.accuracy >= target:
                    return True
                if interrupts.wanted and self.epochs_done < self._settings.num_epoch:
                    return False
            self._say_why_it_ends()
        return True

    def _stands_still(self) -> bool:
        patience = self._settings.stop_patience
        return patience > 0 and self.best.epochs_since >= patience

    def _say_why_it_ends(self) -> None:
        if self._stands_still():
            log.info(
                "Stopped: no better validation in %d epochs. The best is that of checkpoint %04d (cer=%.6f loss=%.4f)",
                self.best.epochs_since, self.best.epoch, self.best.cer, self.best.loss,
            )  # fmt: skip
        if target := self._settings.target_accuracy:
            log.info("The target accuracy %s was not reached; a larger --num_epoch may reach it", target)

    def _note(self, validated: Sums) -> None:
        """What an epoch's validation means for the epochs that follow."""
        self.best.add(self.epochs_done, validated.tally.cer, validated.mean_loss)
        since, patience = self.best.epochs_since, self._settings.plateau_patience
        if self._settings.schedule == "plateau" and since > 0 and since % patience == 0:
            self._schedule.falls += 1
            log.info(
                "No better validation in %d epochs: the learning rate falls to %.3g",
                since, self._schedule(self.steps_done + 1),
            )  # fmt: skip

    def _train_epoch(self, data: BatchIter, interrupts: Interrupts, waited: Callable[[], float]) -> Sums:
        """The rest of the epoch under way; ends between two batches when Ctrl-C was pressed."""
        whole, part, clock = Sums(), Sums(), Clock(waited)
        pending = None
        for batch in data:
            outputs = self._step(batch)
            # The metrics of the batch before are computed while the network works on this one.
            _count(pending, whole, part)
            pending = (outputs, batch)
            self.batches_done += 1
            self._tell(BatchEnd(self.epochs_done, self.batches_done, self._num_batches, _size(batch)))
            if self.batches_done % REPORT_EVERY == 0:
                self._report(part, clock)
                part, clock = Sums(), Clock(waited)
            self._check(whole)
            if interrupts.wanted:
                break
        _count(pending, whole)
        self._check(whole)
        if self.batches_done == self._num_batches:
            data.reset()
        return whole

    def _report(self, part: Sums, clock: Clock) -> None:
        self._tell(
            Report(
                epoch=self.epochs_done,
                batch=self.batches_done,
                step=self.steps_done,
                speed=part.tally.count / clock.read()[0],
                learning_rate=self._schedule(self.steps_done),
                loss=part.mean_loss,
                accuracy=part.tally.accuracy,
                cer=part.tally.cer,
            )
        )

    def _check(self, sums: Sums) -> None:
        if not np.isfinite(sums.loss):
            raise RunError(
                f"the loss is no longer finite after {self.steps_done} steps; a smaller --learning_rate may help"
            )

    def _step(self, batch: Any) -> list[Any]:
        """One update. Returns copies of the outputs, which are computed while the caller goes on."""
        if self.model.hyperparameters.network.dropout:
            # So that what is dropped in a step does not depend on when the run was begun or resumed.
            mx.random.seed(_seed_of(self._settings.seed, self.steps_done))
        self.modules.forward_backward(batch)
        module = self.module
        outputs = [each.copy() for each in module.get_outputs()]
        gradients = module._exec_group.grad_arrays  # [parameter][device]
        sum_over_devices(gradients)
        if self._settings.clip_gradient:
            for device in range(self._num_devices):
                # The gradients are sums over the batch, the bound is on their mean.
                largest = self._settings.clip_gradient * self._settings.batch_size
                clip_global_norm([copies[device] for copies in gradients], largest)
        self.modules.update()
        return outputs

    def _validated(self, validation: BatchIter) -> tuple[Sums, tuple[Reading, ...]]:
        """Read the validation images."""
        sums, readings = Sums(), list[Reading]()
        decode = self.model.alphabet.decode
        for batch in validation:
            self.modules.forward(batch, is_train=False)
            codes = _count((self.module.get_outputs(), batch), sums)
            truths = unpad_labels(batch.label[0].asnumpy())[: len(codes)]
            edits = edit_distances(codes, truths).tolist()
            readings += [Reading(decode(t), decode(c), e) for t, c, e in zip(truths, codes, edits, strict=True)]
        validation.reset()
        return sums, tuple(readings)

    def _epoch_end(
        self,
        train: Sums,
        validated: Sums,
        readings: tuple[Reading, ...],
        seconds: float,
        waiting: float,
        learning_rate: float,
    ) -> EpochEnd:
        return EpochEnd(
            epoch=self.epochs_done - 1,
            step=self.steps_done,
            samples=self.epochs_done * self._samples_per_epoch,
            seconds=seconds,
            speed=train.tally.count / seconds,
            waiting=waiting,
            learning_rate=learning_rate,
            train_loss=train.mean_loss,
            train_accuracy=train.tally.accuracy,
            train_cer=train.tally.cer,
            validation_loss=validated.mean_loss,
            validation_accuracy=validated.tally.accuracy,
            validation_cer=validated.tally.cer,
            validation_lcs_ratio=validated.tally.lcs_ratio,
            blank_fraction=validated.blank_fraction,
            empty_fraction=validated.empty_fraction,
            best_epoch=self.best.epoch,
            readings=readings,
        )

    def overfit(self, batch: Any, num_steps: int) -> tuple[int, float, float]:
        """Learn one batch by heart, in at most `num_steps` steps: (steps made, loss, accuracy) at the end.

        The learning rate stays up until then, however soon the run itself would have ended.
        """
        self._init_optimizer(replace(self._settings, schedule="constant"), num_steps)
        steps, sums = 0, Sums()
        while steps < num_steps and sums.tally.accuracy != 1.0:
            steps, sums = steps + 1, Sums()
            _count((self._step(batch), batch), sums)
        return steps, sums.mean_loss, sums.tally.accuracy

    def save(self, prefix: str, epoch: int) -> None:
        """Write the checkpoint of an epoch: the optimizer's state first, the parameters last."""
        arguments, auxiliary = self.parameters()
        values = {
            "epochs_done": self.epochs_done,
            "batches_done": self.batches_done,
            "num_batches": self._num_batches,
            "falls": self._schedule.falls,
            "best": asdict(self.best),
            "checksum": training_state.checksum(arguments),
            "data": self._fingerprint,
        }
        training_state.save_training_state(prefix, epoch, state_arrays(self.module._updater, self._num_devices), values)
        path = model_files.save(prefix, epoch, self.symbol, arguments, auxiliary, self.model)
        self._tell(Saved(str(path)))

    def resume(self, point: ResumePoint) -> None:
        """Take over weights, optimizer state and progress of a run.

        Raises InputError if it is one of another model, or its epochs are of another size.
        """
        _refuse_another_model(point, self.model)
        if point.num_batches != self._num_batches:
            raise InputError(
                f"{point.prefix}: its epochs have {point.num_batches} batches, and {self._num_batches} are asked for; "
                "resume with the same images, batch_size and samples_per_epoch"
            )
        if point.data != self._fingerprint:
            raise InputError(
                f"{point.prefix} is a run with other images, or another division into those to train on and those for "
                "validation: not resumed; --init_from begins a new run with its weights"
            )
        self.modules.set_params(point.stored.arg_params, point.stored.aux_params)
        self.epochs_done, self.batches_done = point.epochs_done, point.batches_done
        self.best = replace(point.best)
        self._init_optimizer(self._settings, self._num_steps, point.falls)
        try:
            restore_state(self.module._updater, self.module._exec_group.param_arrays, point.arrays)
        except InputError as error:
            raise InputError(f"{point.prefix}-{point.stored.epoch:04d}.state.npz: {error}") from None

    def initialise_from(self, stored: Checkpoint) -> Taken:
        """Begin with what fits of another model's weights: see transfer. Returns what was taken.

        Raises InputError if nothing fits, or nothing says what its classes are.
        """
        if stored.model is None:
            raise InputError(f"{stored.prefix}.json is missing, which says what the model's classes are")
        arguments, auxiliary = self.parameters()
        own = {name: array.asnumpy() for name, array in {**arguments, **auxiliary}.items()}
        other = {name: array.asnumpy() for name, array in {**stored.arg_params, **stored.aux_params}.items()}
        try:
            values, taken = transfer(own, self.model.alphabet, other, stored.model.alphabet)
        except InputError as error:
            raise error.within(stored.params_file) from None
        arrays = {name: mx.nd.array(value) for name, value in values.items()}
        self.modules.set_params({n: arrays[n] for n in arguments}, {n: arrays[n] for n in auxiliary})
        log.info("Begun from %s: %s", stored.params_file, taken)
        for told in _differences(stored.model.hyperparameters, self.model.hyperparameters):
            log.warning("What is taken has learned from images with %s", told)
        return taken

    def _tell(self, event: Any) -> None:
        for callback in self._callbacks:
            callback(event)


def _differences(before: Hyperparameters, now: Hyperparameters) -> list[str]:
    """In what the pixels differ that two networks are given."""
    pairs = [(name, getattr(before.data, name), getattr(now.data, name)) for name in ("height", "ink", "normalise")]
    pairs += [
        (name, getattr(before.network, name), getattr(now.network, name)) for name in ("input_mean", "input_scale")
    ]
    return [f"{name}={old}, and {name}={new} is set" for name, old, new in pairs if old != new]


def _refuse_another_model(point: ResumePoint, model: Model) -> None:
    """What would change the meaning of the files is refused; what only changes the training is said."""
    assert point.stored.model is not None
    before, now = point.stored.model.hyperparameters.to_dict(), model.hyperparameters.to_dict()
    for section, values in now.items():
        for name, value in values.items():
            old = before[section][name]
            if old == value:
                continue
            if section in ("training", "augmentation") or name in ("renderer", "lstm_graph", "dropout"):
                log.info("Going on with %s=%s; it was %s before", name, value, old)
            else:
                raise InputError(f"{point.prefix} is a run with {name}={old}, and {value} is asked for: not resumed")
    if point.stored.model.alphabet != model.alphabet:
        raise InputError(f"{point.prefix} is a run with another alphabet: not resumed")


def _seed_of(seed: int, step: int) -> int:
    """A seed for MXNet, which takes those below 2**31."""
    return int(np.random.SeedSequence([seed, step]).generate_state(1)[0] >> 1)


def _size(batch: Any) -> int:
    """Samples of a batch that count."""
    return int(batch.data[0].shape[0] - batch.pad)


def _count(finished: tuple[list[Any], Any] | None, *sums: Sums) -> list[list[int]]:
    """Add a batch's outputs to each of `sums`; returns the readings, as lists of codes."""
    readings: list[list[int]] = []
    if finished is not None:
        (losses_of_batch, best_path), batch = finished
        size = _size(batch)
        arrays = [each.asnumpy()[:size] for each in (losses_of_batch, best_path, batch.label[0])]
        for each in sums:
            readings = each.add(*arrays)
    return readings
