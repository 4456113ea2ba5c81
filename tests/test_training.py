"""The trainer and what it is made of, on a small network and real captchas."""

import logging
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.checkpoint import history, model_files, run_files
from ctc_ocr.checkpoint.description import Model
from ctc_ocr.checkpoint.training_state import load_training_state, save_training_state
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.datasets.generated import GeneratedSource
from ctc_ocr.datasets.iterator import BatchIter
from ctc_ocr.errors import InputError, RunError
from ctc_ocr.generation.pool import Arrays, WaitInterrupted
from ctc_ocr.inference.predictor import Predictor
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.runtime.signals import Terminated
from ctc_ocr.training.callbacks import LogLines, epoch_line
from ctc_ocr.training.events import BatchEnd, EpochEnd, Progress, Restarted, Saved, ValidationPrediction
from ctc_ocr.training.file_callbacks import History
from ctc_ocr.training.initialisation import initial_parameters
from ctc_ocr.training.optimizer import clip_norm
from ctc_ocr.training.parameter_vector import ArrayCopies
from ctc_ocr.training.resume import newest
from ctc_ocr.training.trainer import Trainer
from ctc_ocr.training.trial_updates import overfit
from tests.training_runs import CRNN, SMALL, cached, epoch_end, make_source, run, streamed, training, weights


@pytest.fixture
def source(ubuntu_font: str) -> GeneratedSource:
    return make_source(ubuntu_font)


@pytest.mark.parametrize("optimizer", ["muon", "adam", "sgd", "rmsprop"])
def test_a_resumed_run_gives_the_bits_of_one_that_was_not_stopped(
    source: GeneratedSource, tmp_path: Path, optimizer: str
) -> None:
    settings = training(optimizer=optimizer)
    whole, _ = run(settings, source, tmp_path / "whole")
    run(settings, source, tmp_path / "part")
    for file in tmp_path.glob("part-0002*"):
        file.unlink()
    assert newest(str(tmp_path / "part")).state.updates_done == 4
    resumed, _ = run(settings, source, tmp_path / "part", first=4)
    for name, array in weights(whole).items():
        np.testing.assert_array_equal(weights(resumed)[name], array, err_msg=name)


def test_two_devices_learn_what_one_learns(source: GeneratedSource, tmp_path: Path) -> None:
    one, _ = run(SMALL, source, tmp_path / "one")
    two, events = run(SMALL, source, tmp_path / "two", contexts=2)
    for name, array in weights(one).items():
        np.testing.assert_allclose(weights(two)[name], array, atol=1e-4, err_msg=name)
    assert any(isinstance(event, EpochEnd) for event in events)


def test_each_epoch_leaves_a_checkpoint_that_holds_its_weights(source: GeneratedSource, tmp_path: Path) -> None:
    trainer, events = run(training(average_power=0.0), source, tmp_path / "ocr")
    assert run_files.epochs(tmp_path / "ocr") == [1, 2]
    stored = model_files.load(tmp_path / "ocr")
    assert stored.model == trainer.model
    for name, array in weights(trainer).items():
        np.testing.assert_array_equal(stored.arg_params[name].asnumpy(), array)
    ends = [event for event in events if isinstance(event, EpochEnd)]
    assert [end.epoch for end in ends] == [0, 1]
    assert ends[1].train_loss < ends[0].train_loss
    assert [end.samples for end in ends] == [32, 64]
    assert [end.update for end in ends] == [4, 8]


def test_target_accuracy_ends_the_run(source: GeneratedSource, tmp_path: Path) -> None:
    settings = training(num_epoch=40, target_accuracy=0.05, learning_rate=0.02)
    _, events = run(settings, source, tmp_path / "ocr")
    ends = [event for event in events if isinstance(event, EpochEnd)]
    assert len(ends) < 40
    assert [end.validation_accuracy >= 0.05 for end in ends] == [False] * (len(ends) - 1) + [True]
    resumed, later = run(settings, source, tmp_path / "ocr", first=4 * len(ends))
    assert resumed.has_reached_target
    assert later == []


def test_resume_refuses_epochs_of_another_size_and_another_network(source: GeneratedSource, tmp_path: Path) -> None:
    run(SMALL, source, tmp_path / "ocr")
    with pytest.raises(InputError, match="its epochs have 4 batches, and these settings give 3"):
        run(training(samples_per_epoch=24), source, tmp_path / "ocr", first=3)
    wider = replace(SMALL, network=replace(SMALL.network, num_hidden=17))
    with pytest.raises(InputError, match="the run has num_hidden=16, and 17 was given"):
        run(wider, source, tmp_path / "ocr", first=4)


@pytest.mark.parametrize(
    ("before", "after"),
    [("sgd", "adam"), ("adam", "rmsprop"), ("adam", "muon"), ("muon", "sgd"), ("sgd", "rmsprop"), ("rmsprop", "sgd")],
)
def test_resume_refuses_another_optimizer(source: GeneratedSource, tmp_path: Path, before: str, after: str) -> None:
    """Momentum and mean squares have the same names and shapes."""
    run(training(optimizer=before), source, tmp_path / "ocr")
    with pytest.raises(InputError, match=f"cannot resume: the run has optimizer={before}, and {after} was given"):
        run(training(optimizer=after, num_epoch=3), source, tmp_path / "ocr", first=8)


@pytest.mark.parametrize("batch", [1, 3, 4])
def test_a_run_interrupted_at_any_batch_and_resumed_gives_the_same_bits(
    source: GeneratedSource, tmp_path: Path, batch: int
) -> None:
    settings = training(schedule="constant")
    whole, _ = run(settings, source, tmp_path / "whole")

    def interrupt(event: Any) -> None:
        if isinstance(event, BatchEnd) and (event.epoch, event.batch) == (0, batch):
            signal.raise_signal(signal.SIGINT)

    assert not run_interrupted(settings, source, tmp_path / "part", interrupt)
    point = newest(str(tmp_path / "part"))
    assert point.state.updates_done == batch
    resumed, _ = run(settings, source, tmp_path / "part", first=batch)
    for name, array in weights(whole).items():
        np.testing.assert_array_equal(weights(resumed)[name], array, err_msg=name)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_before_the_first_update_saves_nothing(
    source: GeneratedSource, tmp_path: Path, number: signal.Signals
) -> None:
    """There is no optimizer state yet, and an older run under the same prefix stays."""

    def interrupted() -> Iterator[Arrays]:
        signal.raise_signal(number)
        raise WaitInterrupted
        yield {}

    settings = training()
    iterator = BatchIter(source, settings.training.samples_per_epoch, interrupted)
    trainer = Trainer(Model(settings, Alphabet(tuple("01"))), iterator, [mx.cpu()], [])
    validation = cached(replace(source, stream=1), settings.training.validation_samples)
    with pytest.raises(KeyboardInterrupt) as raised:
        trainer.fit(iterator, validation, str(tmp_path / "ocr"), lambda: 0.0)
    assert isinstance(raised.value, Terminated) == (number == signal.SIGTERM)
    assert list(tmp_path.iterdir()) == []


def run_interrupted(settings: Hyperparameters, source: GeneratedSource, prefix: Path, interrupt: Any) -> bool:
    iterator = streamed(source, settings.training.samples_per_epoch)
    trainer = Trainer(Model(settings, Alphabet(tuple("01"))), iterator, [mx.cpu()], [interrupt])
    validation = cached(replace(source, stream=1), settings.training.validation_samples)
    return trainer.fit(iterator, validation, str(prefix), lambda: 0.0)


def test_weights_and_state_that_do_not_belong_together_are_not_resumed(
    source: GeneratedSource, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run(SMALL, source, tmp_path / "ocr")
    (tmp_path / "ocr-0002.params").write_bytes((tmp_path / "ocr-0001.params").read_bytes())
    assert newest(str(tmp_path / "ocr")).stored.epoch == 1
    assert "ocr-0002.params: its optimizer state belongs to other weights" in caplog.text
    (tmp_path / "ocr-0001.state.npz").write_bytes((tmp_path / "ocr-0002.state.npz").read_bytes())
    with pytest.raises(InputError, match="no checkpoint to resume"):
        newest(str(tmp_path / "ocr"))


def test_weights_of_another_network_are_not_resumed(source: GeneratedSource, tmp_path: Path) -> None:
    """The description is that of another run, which was copied here."""
    other = replace(SMALL, network=replace(SMALL.network, num_hidden=12))
    run(SMALL, source, tmp_path / "ocr")
    run(other, source, tmp_path / "other")
    (tmp_path / "ocr.json").write_bytes((tmp_path / "other.json").read_bytes())
    reason = r"ocr-0002\.params: not of the network that .*ocr\.json describes$"
    with pytest.raises(InputError, match=reason):
        run(replace(other, training=replace(other.training, num_epoch=3)), source, tmp_path / "ocr", first=8)


@pytest.mark.parametrize("name", ["0.0", "trained.pred_fc_bias"])
@pytest.mark.parametrize("value", ["x", 1, 0.5, np.float32("nan")])
def test_arrays_that_no_run_saves_are_not_resumed(
    source: GeneratedSource, tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, value: Any
) -> None:
    """Texts, whole numbers, numbers of double precision and such as are not finite."""
    run(SMALL, source, tmp_path / "ocr")
    arrays, values = load_training_state(tmp_path / "ocr", 2)
    save_training_state(tmp_path / "ocr", 2, {**arrays, name: np.full(arrays[name].shape, value)}, values)
    assert newest(str(tmp_path / "ocr")).stored.epoch == 1
    assert "ocr-0002.state.npz: not a training state of this package" in caplog.text


def test_a_loss_that_is_not_finite_ends_the_run_and_saves_nothing(source: GeneratedSource, tmp_path: Path) -> None:
    hopeless = training(learning_rate=1e38, warmup_updates=0, samples_per_epoch=16)  # not before the last batch
    with pytest.raises(RunError, match="not finite after 2 updates"):
        run(hopeless, source, tmp_path / "ocr")
    assert list(tmp_path.iterdir()) == []


def test_one_batch_can_be_overfitted(source: GeneratedSource) -> None:
    iterator: BatchIter = cached(source, 8)
    settings = training(num_epoch=500, learning_rate=0.01)
    trainer = Trainer(Model(settings, Alphabet(("0", "1"))), iterator, [mx.cpu()])
    updates, loss, accuracy = overfit(trainer.updates, iterator.next(), 1000)
    assert accuracy == 1.0
    assert updates < 1000
    assert loss < 2.0


def test_a_batch_is_overfitted_however_short_the_run_itself_would_be(source: GeneratedSource) -> None:
    iterator: BatchIter = cached(source, 8)
    settings = training(num_epoch=1, learning_rate=0.01, schedule="cosine", warmup_updates=200)
    trainer = Trainer(Model(settings, Alphabet(("0", "1"))), iterator, [mx.cpu()])
    assert overfit(trainer.updates, iterator.next(), 1000)[2] == 1.0


def test_a_run_goes_on_only_with_its_own_images(source: GeneratedSource, tmp_path: Path) -> None:
    run(SMALL, source, tmp_path / "ocr")
    for fingerprint, refused in (("", False), ("others", True)):
        iterator = cached(source, SMALL.training.samples_per_epoch)
        trainer = Trainer(Model(SMALL, Alphabet(("0", "1"))), iterator, [mx.cpu()], fingerprint=fingerprint)
        point = newest(str(tmp_path / "ocr"))
        if refused:
            with pytest.raises(InputError, match="the run has other images, or another split"):
                trainer.resume(point)
        else:
            trainer.resume(point)


def test_ctrl_c_while_the_last_epoch_is_validated_ends_a_run_that_is_whole(
    source: GeneratedSource, tmp_path: Path
) -> None:
    def interrupt(event: Any) -> None:
        if isinstance(event, EpochEnd) and event.epoch == SMALL.training.num_epoch - 1:
            signal.raise_signal(signal.SIGINT)

    assert run_interrupted(SMALL, source, tmp_path / "whole", interrupt)


def test_initial_weights() -> None:
    shapes = {"l0_i2h_weight": (40, 7), "l0_i2h_bias": (40,), "l0_h2h_weight": (40, 10), "pred_fc_weight": (5, 10)}
    shapes["pred_fc_bias"] = (5,)
    values = initial_parameters(shapes, np.random.default_rng(0))
    for gate in np.split(values["l0_h2h_weight"], 4):
        np.testing.assert_allclose(gate @ gate.T, np.eye(10), atol=1e-5)
    np.testing.assert_array_equal(values["l0_i2h_bias"], [0] * 20 + [1] * 10 + [0] * 10)
    for gate in np.split(values["l0_i2h_weight"], 4):
        assert 0.5 * np.sqrt(6 / 17) < abs(gate).max() <= np.sqrt(6 / 17)
    probabilities = np.exp(values["pred_fc_bias"]) / np.exp(values["pred_fc_bias"]).sum()
    np.testing.assert_allclose(probabilities, [2 / 3, *[1 / 12] * 4], rtol=1e-5)  # the blank first
    again = initial_parameters(shapes, np.random.default_rng(0))
    other = initial_parameters(shapes, np.random.default_rng(1))
    assert all((again[name] == values[name]).all() for name in shapes)
    assert not (other["pred_fc_weight"] == values["pred_fc_weight"]).any()


def test_a_run_that_is_killed_before_its_history_is_written_loses_no_row(
    tmp_path: Path, source: GeneratedSource
) -> None:
    def die(event: Any) -> None:
        if isinstance(event, Saved) and event.path.endswith("-0002.params"):
            raise SystemExit

    settings = training(num_epoch=3)
    prefix = str(tmp_path / "m")
    with pytest.raises(SystemExit):
        run(settings, source, tmp_path / "m", callbacks=[die, History(prefix)])
    assert [row.epoch for row in history.read(prefix)] == [1]
    rows = newest(prefix).state.history
    assert [row.epoch for row in rows] == [1, 2]
    run(settings, source, tmp_path / "m", first=8, callbacks=[History(prefix, rows)])
    assert history.read(prefix)[:2] == list(rows)
    assert [row.epoch for row in history.read(prefix)] == [1, 2, 3]


@pytest.mark.parametrize("largest", [0.5, 1e3])
def test_gradients_are_clipped_to_their_joint_norm(largest: float) -> None:
    generator = np.random.default_rng(0)
    arrays = [generator.normal(size=shape).astype(np.float32) for shape in ((3, 4), (5,), (2, 2, 2))]
    gradients = ArrayCopies([[mx.nd.array(each)] for each in arrays])
    vector = mx.nd.zeros(gradients.size)
    gradients.gather(vector)
    clip_norm(vector, largest)
    norm = np.sqrt(sum((each**2).sum() for each in arrays))
    expected = np.concatenate([each.reshape(-1) for each in arrays]) * min(1, largest / norm)
    np.testing.assert_allclose(vector.asnumpy(), expected, rtol=1e-5)


def test_the_plateau_is_called_by_its_name(caplog: pytest.LogCaptureFixture) -> None:
    lines = LogLines()
    with caplog.at_level(logging.INFO, logger="ctc_ocr"):
        for empty in (0.95, 0.95, 0.5):
            lines(epoch_end(empty_fraction=empty))
    first, plateau, second, third = caplog.messages
    assert first == second == "Epoch 1: nothing read yet, loss 8.500, best 1, 2 s, 2 min left"
    assert "all-blank plateau: 95 % of the predictions are empty" in plateau
    assert third == "Epoch 1: 1 of 2 read, CER 0.4000, best 1, 2 s, 2 min left"


def test_batches_are_shown_in_long_epochs_only(caplog: pytest.LogCaptureFixture) -> None:
    lines = LogLines()
    with caplog.at_level(logging.INFO, logger="ctc_ocr"):
        lines(Progress(1, 50, 100, 150, 812.4, 0.003, 1.5, 0.25, 0.1))
        lines(Progress(1, 50, 400, 450, 812.4, 0.003, 1.5, 0.25, 0.1))
    assert caplog.messages == ["Epoch 2, batch 50 of 400: 812 samples/s, accuracy 0.2500, loss 1.5000"]


def test_waiting_for_data_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    lines = LogLines()
    with caplog.at_level(logging.INFO, logger="ctc_ocr"):
        for waiting in (0.4, 0.9, 0.9):
            lines(replace(epoch_end(), waiting=waiting))
    assert [each for each in caplog.messages if "waiting" in each] == [
        "90 % of the time waiting for data: more --num_proc may help"
    ]


def test_a_run_that_diverges_says_where_it_goes_back_to(caplog: pytest.LogCaptureFixture) -> None:
    lines = LogLines()
    lines(Restarted(0, 0, "the loss is not finite"))
    lines(Restarted(3, 12, "the loss is not finite"))
    assert caplog.messages == [
        "Diverged: the loss is not finite. Back to the start, with half the rate",
        "Diverged: the loss is not finite. Back to the end of epoch 3, with half the rate",
    ]


def test_the_line_of_an_epoch_fits_80_columns() -> None:
    end = replace(epoch_end(epoch=998, best_epoch=990, empty_fraction=0.0), seconds=1234.0, seconds_left=123456.0)
    predictions = (ValidationPrediction("a", "a", 0),) * 1999 + (ValidationPrediction("a", "b", 1),)
    line = epoch_line(replace(end, predictions=predictions))
    assert line == "Epoch 999: 1,999 of 2,000 read, CER 0.4000, best 990, 1234 s, 34 h left"
    assert len("02:18:05 ") + len(line) <= 80


def test_both_losses_follow_the_same_curve(source: GeneratedSource) -> None:
    iterator = cached(source, 50 * SMALL.training.batch_size)
    curves = []
    for loss in ("ctc", "warpctc"):
        settings = training(loss=loss, samples_per_epoch=400)
        trainer = Trainer(Model(settings, Alphabet(tuple("01"))), iterator, [mx.cpu()])
        iterator.reset()
        curves.append([trainer.updates.make(batch)[0].asnumpy().mean() for batch in iterator])
    assert len(curves[0]) == 50
    np.testing.assert_allclose(curves[1], curves[0], rtol=1e-3)
    assert curves[0][-1] < curves[0][0] / 2


def test_crnn_is_trained_saved_and_read(source: GeneratedSource, tmp_path: Path) -> None:
    network = replace(CRNN, batch_norm=True)
    settings = replace(training(num_epoch=1, average_power=0.0), network=network)
    trainer, events = run(settings, source, tmp_path / "ocr")
    validation = cached(replace(source, stream=1), 16)
    predictor = Predictor(tmp_path / "ocr")
    # After four updates all texts are empty: what they are decoded from is compared too.
    logits = trainer.network.symbol.get_internals()["pred_fc_output"]
    parameters, averages = trainer.network.parameters()
    texts = []
    for batch in validation:
        (pixels,) = batch.data
        arguments = {**parameters, "data": pixels}
        expected = mx.sym.log_softmax(logits).bind(mx.cpu(), arguments, aux_states=averages)
        found = predictor.log_probabilities(pixels.asnumpy())
        np.testing.assert_allclose(found, expected.forward()[0].asnumpy(), atol=1e-5)
        assert np.ptp(found, axis=1).max() > 1e-3  # the images differ in it
        texts += [each.text for each in predictor.predict(list(pixels.asnumpy()))]
    end = next(event for event in events if isinstance(event, EpochEnd))
    assert texts == [prediction.text for prediction in end.predictions]
    assert len(texts) == 16
    _, auxiliary = trainer.network.parameters()
    assert abs(auxiliary["conv0_norm_moving_mean"].asnumpy()).max() > 0
