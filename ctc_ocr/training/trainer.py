"""Where the layers meet: data, symbol, loss, optimizer and checkpoints, over one mx.mod.Module."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ctc_ocr import checkpoint, losses, symbols
from ctc_ocr._mxnet import mx
from ctc_ocr.checkpoint import Model
from ctc_ocr.datasets.iterator import BatchIter
from ctc_ocr.errors import InputError, RunError
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
from ctc_ocr.training.progress import Clock, Sums, label_lists
from ctc_ocr.training.resuming import ResumePoint

REPORT_EVERY = 50  # batches, as in MXNet's example
NUM_READINGS = 4

log = logging.getLogger(__name__)


def training_symbol(model: Model) -> Any:
    """Inputs data (N, H, W) uint8 and label (N, L); outputs loss (N,) and best path (N, T)."""
    logits = symbols.logits(mx.sym.Variable("data"), model.hyperparameters, model.alphabet.num_classes)
    return losses.attach(model.hyperparameters.training.loss, logits, mx.sym.Variable("label"))


class Trainer:
    """Trains a model on one or several devices; `callbacks` get the events of training/events.py in their order.

    A run's state is the weights, the optimizer's state, and how much of how many epochs is done: what save() writes
    and resume() reads.
    """

    def __init__(
        self, model: Model, data: BatchIter, contexts: Sequence[Any], callbacks: Sequence[Callback] = ()
    ) -> None:
        self.model = model
        self.epochs_done = 0
        self.batches_done = 0  # of the epoch under way
        self._settings = model.hyperparameters.training
        self._num_batches = data.num_batches
        self._num_devices = len(contexts)
        self._callbacks = callbacks
        self.symbol = training_symbol(model)
        self.module = mx.mod.Module(self.symbol, ["data"], ["label"], context=list(contexts))
        self.module.bind(data.provide_data, data.provide_label)
        self._init_parameters()
        self._init_optimizer()

    def _init_parameters(self) -> None:
        inputs = {each.name: each.shape for each in [*self.module.data_shapes, *self.module.label_shapes]}
        shapes, _, _ = self.symbol.infer_shape(**inputs)
        weights = {n: s for n, s in zip(self.symbol.list_arguments(), shapes, strict=True) if n not in inputs}
        values = initial_parameters(weights, np.random.default_rng(self._settings.seed))
        self.module.init_params(arg_params={name: mx.nd.array(value) for name, value in values.items()})

    def _init_optimizer(self) -> None:
        optimizer = make_optimizer(self._settings, self._settings.num_epoch * self._num_batches, self.steps_done)
        # No key-value store: the gradients of several devices are added in _step, before their norm is bounded.
        self.module.init_optimizer(kvstore=None, optimizer=optimizer, force_init=True)

    @property
    def steps_done(self) -> int:
        """Updates made since the run began."""
        return int(self.epochs_done * self._num_batches + self.batches_done)

    def fit(self, data: BatchIter, validation: BatchIter, prefix: str, waited: Callable[[], float]) -> bool:
        """Train to the last epoch, or to the target accuracy; a checkpoint an epoch under `prefix`.

        `data` gives what comes after steps_done; `waited` the seconds spent waiting for it so far. Returns False if
        Ctrl-C ended the run: the state at that moment is saved as the checkpoint of the epoch under way. Raises
        RunError if the loss is no longer finite.
        """
        target = self._settings.target_accuracy
        with Interrupts() as interrupts:
            while self.epochs_done < self._settings.num_epoch:
                clock = Clock(waited)
                sums = self._train_epoch(data, interrupts, waited)
                if self.batches_done < self._num_batches:
                    self.save(prefix, self.epochs_done + 1)
                    return False
                seconds, waiting = clock.read()
                self.epochs_done, self.batches_done = self.epochs_done + 1, 0
                self.save(prefix, self.epochs_done)
                end = self._validated(validation, sums, seconds, waiting)
                self._tell(end)
                if interrupts.wanted or (target and end.validation_accuracy >= target):
                    break
            else:
                if target:
                    log.info("The target accuracy %s was not reached; a larger --num_epoch may reach it", target)
        return not interrupts.wanted

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
                speed = part.tally.count / clock.read()[0]
                self._tell(Report(self.epochs_done, self.batches_done, speed, part.mean_loss, part.tally.accuracy))
                part, clock = Sums(), Clock(waited)
            self._check(whole)
            if interrupts.wanted:
                break
        _count(pending, whole)
        self._check(whole)
        if self.batches_done == self._num_batches:
            data.reset()
        return whole

    def _check(self, sums: Sums) -> None:
        if not np.isfinite(sums.loss):
            raise RunError(
                f"the loss is no longer finite after {self.steps_done} steps; a smaller --learning_rate may help"
            )

    def _step(self, batch: Any) -> list[Any]:
        """One update. Returns copies of the outputs, which are computed while the caller goes on."""
        module = self.module
        module.forward_backward(batch)
        outputs = [each.copy() for each in module.get_outputs()]
        gradients = module._exec_group.grad_arrays  # [parameter][device]
        sum_over_devices(gradients)
        if self._settings.clip_gradient:
            for device in range(self._num_devices):
                # The gradients are sums over the batch, the bound is on their mean.
                largest = self._settings.clip_gradient * self._settings.batch_size
                clip_global_norm([copies[device] for copies in gradients], largest)
        module.update()
        return outputs

    def _validated(self, validation: BatchIter, train: Sums, seconds: float, waiting: float) -> EpochEnd:
        """Read the validation images, and put the epoch's results together."""
        sums, readings = Sums(), list[Reading]()
        for batch in validation:
            self.module.forward(batch, is_train=False)
            codes = _count((self.module.get_outputs(), batch), sums)
            if len(readings) < NUM_READINGS:
                decode = self.model.alphabet.decode
                truths = label_lists(batch.label[0].asnumpy())
                readings += [Reading(decode(t), decode(c)) for t, c in zip(truths, codes, strict=False)]
        validation.reset()
        return EpochEnd(
            epoch=self.epochs_done - 1,
            seconds=seconds,
            speed=train.tally.count / seconds,
            waiting=waiting,
            loss=train.mean_loss,
            train_accuracy=train.tally.accuracy,
            validation_accuracy=sums.tally.accuracy,
            validation_lcs_ratio=sums.tally.lcs_ratio,
            blank_share=sums.blank_share,
            empty_share=sums.empty_share,
            readings=tuple(readings[:NUM_READINGS]),
        )

    def overfit(self, batch: Any, num_steps: int) -> tuple[int, float, float]:
        """Learn one batch by heart, in at most `num_steps` steps: (steps made, loss, accuracy) at the end."""
        steps, sums = 0, Sums()
        while steps < num_steps and sums.tally.accuracy != 1.0:
            steps, sums = steps + 1, Sums()
            _count((self._step(batch), batch), sums)
        return steps, sums.mean_loss, sums.tally.accuracy

    def save(self, prefix: str, epoch: int) -> None:
        """Write the checkpoint of an epoch: the optimizer's state first, the parameters last."""
        arguments, auxiliary = self.module.get_params()
        values = {
            "epochs_done": self.epochs_done,
            "batches_done": self.batches_done,
            "num_batches": self._num_batches,
            "checksum": checkpoint.checksum(arguments),
        }
        checkpoint.save_training_state(prefix, epoch, state_arrays(self.module._updater, self._num_devices), values)
        path = checkpoint.save(prefix, epoch, self.symbol, arguments, auxiliary, self.model)
        self._tell(Saved(str(path)))

    def resume(self, point: ResumePoint) -> None:
        """Take over weights, optimizer state and progress of a run.

        Raises InputError if it is one of another model, or its epochs are of another size.
        """
        _refuse_another_model(point, self.model)
        if point.num_batches != self._num_batches:
            raise InputError(
                f"{point.prefix}: its epochs have {point.num_batches} batches, and {self._num_batches} are asked for; "
                "resume with the same batch_size and samples_per_epoch"
            )
        self.module.set_params(point.stored.arg_params, point.stored.aux_params)
        self.epochs_done, self.batches_done = point.epochs_done, point.batches_done
        self._init_optimizer()
        try:
            restore_state(self.module._updater, self.module._exec_group.param_arrays, point.arrays)
        except InputError as error:
            raise InputError(f"{point.prefix}-{point.stored.epoch:04d}.state.npz: {error}") from None

    def _tell(self, event: Any) -> None:
        for callback in self._callbacks:
            callback(event)


def _refuse_another_model(point: ResumePoint, model: Model) -> None:
    """What would change the meaning of the files is refused; what only changes the training is said."""
    assert point.stored.model is not None
    before, now = point.stored.model.hyperparameters.to_dict(), model.hyperparameters.to_dict()
    for section, values in now.items():
        for name, value in values.items():
            old = before[section][name]
            if old == value:
                continue
            if section == "training" or name in ("renderer", "cell"):
                log.info("Going on with %s=%s; it was %s before", name, value, old)
            else:
                raise InputError(f"{point.prefix} is a run with {name}={old}, and {value} is asked for: not resumed")


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
