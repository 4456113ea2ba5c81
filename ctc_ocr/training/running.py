"""A run whose images are known: it is trained by this process, by several on this machine, or as a worker of a
cluster."""

import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ctc_ocr.checkpoint import run_files
from ctc_ocr.generation.rows import ALL_ROWS
from ctc_ocr.runtime.types import Context
from ctc_ocr.training.events import Callback
from ctc_ocr.training.job import Begun, Ended, Job, contexts_of, train_rows, validation_batches
from ctc_ocr.training.reading import calibrate
from ctc_ocr.training.results import TrainingResult, log_advice, result_of
from ctc_ocr.training.run_callbacks import calling, run_callbacks
from ctc_ocr.training.run_data import TrainingData
from ctc_ocr.training.verdict import Verdict
from ctc_ocr.training.worker_processes import WorkerProcesses
from ctc_ocr.training.workers import ALONE

if TYPE_CHECKING:
    from ctc_ocr.datasets.iterator import BatchIter
    from ctc_ocr.training.store_workers import StoreWorkers

log = logging.getLogger(__name__)

Begin = Callable[[Begun], Callback]


@dataclass(frozen=True)
class Running:
    """What is trained. `job`: of one worker that has all rows. `replaced`: files of an earlier run. `callbacks`: the
    user's. `cluster`: None if there is none."""

    job: Job
    replaced: list[Path]
    callbacks: Sequence[Callback]
    cluster: "StoreWorkers | None" = None

    @property
    def prefix(self) -> str:
        return self.job.options.prefix

    @property
    def data(self) -> TrainingData:
        return self.job.data

    def train(self) -> TrainingResult:
        """From its start, or the checkpoint that is resumed, to its result."""
        with ExitStack() as stack:
            verdict: list[Verdict] = []

            def begin(begun: Begun) -> Callback:
                target = self.data.hyperparameters.training.target_accuracy
                verdict.append(Verdict(self.data.facts, begun.started, target, begun.history))
                options, data = self.job.options, self.data
                made = run_callbacks(options, data, begun, self.replaced, self.callbacks, stack)
                return calling([*verdict, *made])

            ended = self._train(begin)
            if self.cluster is not None and not self.cluster.is_first:
                return TrainingResult(self.prefix, ended.finished, signal=ended.signal)
            if ended.idle:
                return self._result_of_idle()
            verdict[0].log(is_bounded=ended.bounded, is_finished=ended.finished)
        result = result_of(self.prefix, ended.finished, ended.signal)
        log_advice(result)
        return result

    def _result_of_idle(self) -> TrainingResult:
        result = result_of(self.prefix, finished=True)
        # What was killed between its last epoch and its end has left older ones.
        run_files.keep_newest(self.prefix, self.data.hyperparameters.training.keep, result.best_epoch)
        return result

    def _train(self, begin: Begin) -> Ended:
        workers = self.data.hyperparameters.training.workers
        if self.cluster is not None:
            return self._train_in_cluster(self.cluster, begin)
        if workers > 1:
            return self._train_together(workers, begin)
        return train_rows(self.job, ALL_ROWS, lambda: ALONE, begin, calibrate=self._calibrate)

    def _train_together(self, workers: int, begin: Begin) -> Ended:
        log.info("%d training workers, each with a part of every batch; --workers 1 trains in one process", workers)
        options = self.job.options
        of_each = Job(options, self.data, -(-self.job.num_proc // workers))
        with WorkerProcesses(of_each, workers, options.cpu or 1) as processes:
            ended = processes.run(begin)
        self._calibrate_with_all(ended)
        return ended

    def _train_in_cluster(self, workers: "StoreWorkers", begin: Begin) -> Ended:
        from ctc_ocr.training.cluster import check_agreement

        check_agreement(workers, self.data)
        ended = train_rows(self.job, workers.rows, lambda: workers, begin)
        workers.leave()
        if workers.is_first:
            self._calibrate_with_all(ended)
        return ended

    def _calibrate_with_all(self, ended: Ended) -> None:
        """After a run in which each worker had only its rows of the validation batches."""
        if not ended.idle:
            with validation_batches(self.data, self.job.num_proc) as validation:
                self._calibrate(ended, validation, contexts_of(self.job)[0])

    def _calibrate(self, ended: Ended, validation: "BatchIter", context: Context) -> None:
        turned = self.data.held_out if self.data.hyperparameters.data.is_straightened else ()
        calibrate(self.prefix, ended, validation, context, turned)
