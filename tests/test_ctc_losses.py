"""Both losses, as symbols: against every alignment, finite differences, each other, and in training."""

import numpy as np
import pytest

from ctc_ocr.losses import ctc, warpctc
from ctc_ocr.runtime.mxnet import mx
from tests.reference_ctc import batch_loss, central_differences

LOSSES = {"ctc": ctc.loss, "warpctc": warpctc.loss}
BOTH = pytest.mark.parametrize("layer", LOSSES.values(), ids=LOSSES.keys())

CASES = {
    # name: (steps T, classes C, labels, input lengths or None)
    "plain": (5, 4, [[1, 2], [3, 0], [2, 1]], None),
    "repeats": (5, 3, [[1, 1, 0], [2, 2, 1], [1, 2, 1]], None),
    "repeats that just fit": (5, 3, [[1, 1, 1], [2, 2, 2]], None),
    "one sample": (4, 3, [[1, 2]], None),
    "one step": (1, 4, [[2], [0], [3]], None),
    "empty label among others": (4, 4, [[1, 3], [0, 0], [2, 0]], None),
    "nothing but empty labels": (5, 4, [[0, 0], [0, 0], [0, 0]], None),
    "one empty label": (3, 3, [[0]], None),
    "one repeat too many": (4, 3, [[1, 1, 1], [1, 1, 0], [1, 2, 1]], None),
    "nothing but labels too long": (2, 4, [[1, 1], [2, 2]], None),
    "labels wider than the steps": (3, 4, [[1, 2, 3, 1, 2], [1, 2, 0, 0, 0], [0, 0, 0, 0, 0], [1, 2, 3, 0, 0]], None),
    "input lengths": (5, 3, [[1, 2], [1, 0], [2, 2], [0, 0]], [5, 2, 3, 4]),
    "too short inputs": (5, 3, [[1, 2], [1, 1], [2, 0], [0, 0], [1, 0]], [1, 2, 0, 0, 1]),
    "empty labels and input lengths": (4, 3, [[0], [0]], [4, 2]),
}


class Runner:
    """A loss bound to a batch's shapes; running it twice shows what a run leaves to the next."""

    def __init__(self, layer, logits_shape, label_shape, has_lengths):
        names = {"data": logits_shape, "label": label_shape}
        logits, label = mx.sym.var("data"), mx.sym.var("label")
        lengths = None
        if has_lengths:
            names["input_length"] = logits_shape[1:2]
            lengths = mx.sym.var("input_length")
        self.symbol = mx.sym.make_loss(layer(logits, label, lengths))
        grad_req = {name: "write" if name == "data" else "null" for name in names}
        self.executor = self.symbol.simple_bind(mx.cpu(), grad_req=grad_req, **names)

    def __call__(self, logits, labels, input_lengths=None):
        arrays = {"data": logits, "label": labels}
        if input_lengths is not None:
            arrays["input_length"] = input_lengths
        arrays = {name: mx.nd.array(array) for name, array in arrays.items()}
        (loss,) = self.executor.forward(is_train=True, **arrays)
        self.executor.backward()
        return loss.asnumpy(), self.executor.grad_dict["data"].asnumpy()


def run(layer, logits, labels, input_lengths=None):
    """Loss and gradient of a batch, after a batch that left other gradients behind."""
    runner = Runner(layer, logits.shape, labels.shape, input_lengths is not None)
    others = np.where(np.arange(labels.shape[1]) == 0, 1, 0) * np.ones_like(labels)
    runner(
        np.full_like(logits, 1) + logits[::-1], others, None if input_lengths is None else [len(logits)] * len(labels)
    )
    return runner(logits, labels, input_lengths)


def random_logits(*shape, scale=1.0, seed=0):
    return (np.random.default_rng(seed).normal(size=shape) * scale).astype(np.float32)


@BOTH
@pytest.mark.parametrize("case", CASES)
def test_agrees_with_the_sum_over_all_alignments(layer, case):
    steps, classes, codes, lengths = CASES[case]
    labels = np.array(codes, np.float32)
    logits = random_logits(steps, len(labels), classes, scale=1.5)
    loss, gradient = run(layer, logits, labels, lengths)

    def total(point):
        return batch_loss(point, labels, lengths or [steps] * len(labels)).sum()

    np.testing.assert_allclose(loss, batch_loss(logits, labels, lengths or [steps] * len(labels)), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(gradient, central_differences(total, logits, 1e-4), atol=1e-5)


@BOTH
def test_sample_that_cannot_be_aligned_has_loss_and_gradient_of_exactly_0(layer):
    logits = random_logits(6, 3, 5)
    loss, gradient = run(layer, logits, np.array([[1, 1, 1, 1], [1, 2, 3, 4], [1, 2, 2, 0]], np.float32))
    assert loss[0] == 0
    assert not gradient[:, 0].any()
    assert loss[1:].all()
    assert gradient[:, 1:].any(axis=(0, 2)).all()


@BOTH
@pytest.mark.parametrize(("steps", "samples", "classes"), [(12, 1, 5000), (12, 3, 5000), (40, 1, 2)])
def test_extreme_shapes_have_gradients_of_a_softmax(layer, steps, samples, classes):
    logits = random_logits(steps, samples, classes)
    labels = np.zeros((samples, 3), np.float32)
    labels[:, 0] = classes - 1
    loss, gradient = run(layer, logits, labels)
    assert (loss > 0).all()
    assert np.isfinite(loss).all()
    # Probabilities less posteriors: both sum to 1 over the classes.
    np.testing.assert_allclose(gradient.sum(axis=2), 0, atol=1e-4)
    softmax = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
    np.testing.assert_allclose(gradient[:, :, 1 : classes - 1], softmax[:, :, 1 : classes - 1], atol=1e-6)


@pytest.mark.parametrize("classes", [11, 1000])
def test_losses_agree_with_each_other(classes):
    steps, samples = 80, 128 if classes == 11 else 8
    generator = np.random.default_rng(1)
    logits = random_logits(steps, samples, classes, scale=2)
    lengths = generator.integers(20, steps + 1, samples)
    labels = generator.integers(1, classes, (samples, 12)) * (np.arange(12) < generator.integers(0, 13, (samples, 1)))
    ours, others = (run(layer, logits, labels.astype(np.float32), lengths) for layer in LOSSES.values())
    np.testing.assert_allclose(ours[0], others[0], rtol=1e-5)
    np.testing.assert_allclose(ours[1], others[1], atol=1e-4)


@BOTH
def test_loss_is_finite_where_the_network_is_sure_of_something_else(layer):
    """The probability of the label underflows in float32: warp-ctc counts the least normal number in its place."""
    logits = np.zeros((5, 1, 4), np.float32)
    logits[:, :, 0] = 200
    loss, gradient = run(layer, logits, np.array([[1]], np.float32))
    assert 85 < loss[0] < 200
    np.testing.assert_allclose(gradient[:, 0], [[0.2, -0.2, 0, 0]] * 5, atol=1e-5)


@BOTH
def test_int32_labels_are_taken(layer):
    label = mx.sym.var("label", dtype="int32")
    symbol = layer(mx.sym.var("data", dtype="float32"), label)
    executor = symbol.simple_bind(mx.cpu(), data=(6, 2, 5), label=(2, 2), type_dict={"label": "int32"})
    logits, labels = random_logits(6, 2, 5), np.array([[1, 2], [3, 0]])
    loss = executor.forward(data=mx.nd.array(logits), label=mx.nd.array(labels, dtype="int32"))[0].asnumpy()
    np.testing.assert_allclose(loss, batch_loss(logits, labels, [6, 6]), rtol=1e-5)


def small_network(layer):
    """An LSTM over 12 steps that reads labels of at most 3 of 4 codes."""
    data = mx.sym.transpose(mx.sym.var("data"), (1, 0, 2))
    state = mx.sym.zeros(shape=(1, 16, 16))
    parameters = mx.sym.var("lstm_weight")
    hidden = mx.sym.RNN(data, parameters, state, state, state_size=16, num_layers=1, mode="lstm", name="lstm")
    logits = mx.sym.FullyConnected(hidden, num_hidden=5, flatten=False, name="logits")
    return mx.sym.make_loss(layer(logits, mx.sym.var("label")))


def trained(layer, steps=50):
    """Losses (steps, N) of a run that is the same but for the loss layer, and the parameters after it."""
    generator = np.random.default_rng(2)
    mx.random.seed(3)
    module = mx.mod.Module(small_network(layer), data_names=["data"], label_names=["label"], context=mx.cpu())
    module.bind([("data", (16, 12, 6))], [("label", (16, 3))])
    module.init_params(mx.init.Uniform(0.3))
    module.init_optimizer(optimizer="adam", optimizer_params={"learning_rate": 0.01, "rescale_grad": 1 / 16})
    losses = []
    for _ in range(steps):
        labels = generator.integers(1, 5, (16, 3)) * (np.arange(3) < generator.integers(0, 4, (16, 1)))
        images = generator.normal(size=(16, 12, 6)) * 0.1
        images[:, 1:12:4, :5] += np.eye(5)[labels]
        batch = mx.io.DataBatch([mx.nd.array(images)], [mx.nd.array(labels)])
        module.forward(batch, is_train=True)
        losses.append(module.get_outputs()[0].asnumpy())
        module.backward()
        module.update()
    return np.array(losses), {name: array.asnumpy() for name, array in module.get_params()[0].items()}


def test_training_follows_the_same_curve():
    (ours, parameters), (others, other_parameters) = (trained(layer) for layer in LOSSES.values())
    np.testing.assert_allclose(ours.mean(axis=1), others.mean(axis=1), rtol=1e-3)
    assert ours[-5:].mean() < 0.7 * ours[0].mean(), "nothing was learnt, so nothing was compared"
    for name, array in parameters.items():
        np.testing.assert_allclose(array, other_parameters[name], atol=1e-3)
