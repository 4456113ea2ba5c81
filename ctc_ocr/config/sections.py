"""The hyperparameters: every number and choice that shapes data, network and training.

These dataclasses are the one list of them: the command line takes its flags, defaults, checks and help from here.
"""

from dataclasses import dataclass

from ctc_ocr.config.registries import ARCHITECTURES, RENDERERS
from ctc_ocr.config.schema import MAX_SIZE, Integers, Strings, option

LSTM, CNN, AUGMENT = {"architecture": ("lstm",)}, {"architecture": ("cnn",)}, {"augment": (True,)}
RECURRENT, CONVOLUTIONAL = {"architecture": ("lstm", "crnn")}, {"architecture": ("crnn", "cnn")}
MAX_WORKERS = 64  # each takes 200 MB and more
MAX_VIEWS = 9  # as many as ctc_ocr.images.views makes
AUGMENT_COLOUR = {**AUGMENT, "channels": (3,)}


@dataclass(frozen=True)
class Data:
    """What is generated, and what the network is given. Sizes are in pixels.

    Images are (height, width) uint8, or (height, width, 3) with three channels. The first six apply to generated
    captchas only; with labelled images, the flag `--alphabet` sets the alphabet of the labels.
    """

    alphabet: str = option("0123456789", "characters of the generated captchas or of the labels, each once")
    min_length: int = option(3, "minimum number of characters per captcha", minimum=1, maximum=MAX_SIZE)
    max_length: int = option(4, "maximum number of characters per captcha", minimum=1, maximum=MAX_SIZE)
    # Not checked here: a model is read without the renderer of the images that it was trained on.
    renderer: str = option("fast", "renderer of the training captchas", choices=RENDERERS.names, is_checked=False)
    draw_width: int = option(160, "width at which captchas are rendered", minimum=16, maximum=MAX_SIZE)
    draw_height: int = option(60, "height at which captchas are rendered", minimum=16, maximum=MAX_SIZE)
    width: int = option(
        80, "width of the network's input; with keep_ratio, the maximum width", minimum=1, maximum=MAX_SIZE
    )
    height: int = option(30, "height of the network's input", minimum=1, maximum=MAX_SIZE)
    keep_ratio: bool = option(
        False, "resize images (labelled or wild) to the height, keep their aspect ratio; squeeze those wider than width"
    )
    letterbox: bool = option(
        False, "keep the aspect ratio of images (labelled or wild) within a fixed width and height, paper around them"
    )
    channels: int = option(1, "1: grey, 3: colour (labelled or wild images)", choices=(1, 3))
    ink: str = option(
        "dark", "dark or light ink in labelled or wild images (light images are inverted), or auto: decided per image",
        choices=("dark", "light", "auto"),
    )  # fmt: skip
    writing: str = option(
        "horizontal", "direction of the text in labelled images; vertical: each image is transposed first, so that "
        "height, width, edges and crop are those of the transposed image", choices=("horizontal", "vertical"),
    )  # fmt: skip
    crop: str = option(
        "none", "cut labelled or wild images to their line of text before they are resized (text), or not (none)",
        choices=("none", "text"),
    )  # fmt: skip
    top_edge: float = option(
        0.0, "upper end of the rows of labelled or wild images that are read, as a fraction of the height; less than 0 "
        "adds rows", minimum=-0.5, maximum=0.95,
    )  # fmt: skip
    bottom_edge: float = option(1.0, "lower end of these rows; more than 1 adds rows", minimum=0.05, maximum=1.5)
    straighten: str = option(
        "none", "turn and move each labelled image so that its line of text is level, in the middle of the rows that "
        "are read: where the starter model reads it best (starter), or not at all (none)",
        choices=("none", "starter"), requires={"crop": ("none",), "writing": ("horizontal",)},
    )  # fmt: skip
    binarise: str = option(
        "none", "make labelled or wild images black and white before they are resized: by one threshold (otsu), by one "
        "for each pixel (sauvola), or not", choices=("none", "otsu", "sauvola"),
    )  # fmt: skip
    grey: str = option(
        "luminance", "how labelled or wild images become grey: by luminance, by the largest or smallest of red, green "
        "and blue (max, min), with colours as light as paper (unsaturated), or by the difference from the paper's "
        "colour (paper)",
        choices=("luminance", "max", "min", "unsaturated", "paper"),
    )  # fmt: skip
    normalise: str = option(
        "fixed", "normalise pixels by input_mean and input_scale alone, or (image) stretch each image's contrast first",
        choices=("fixed", "image"),
    )  # fmt: skip
    views: int = option(
        1, "views of each image that are read, as it is and slightly changed; the text is the one that is likeliest in "
        "all; no effect on training", minimum=1, maximum=MAX_VIEWS,
    )  # fmt: skip

    @property
    def is_straightened(self) -> bool:
        """Whether images are straightened before they are cut."""
        return self.straighten != "none" and self.crop == "none" and self.writing == "horizontal"


@dataclass(frozen=True)
class Network:
    """The network's shape.

    `lstm` takes each image column as a time step. `crnn` has convolutions before bidirectional LSTMs. `cnn` is for
    images of one character: convolutions before dense layers, and the whole image is one time step. Lists have one
    entry per convolution, or per dense layer. An architecture of your own may use any of these.
    """

    architecture: str = option("lstm", "network architecture", choices=ARCHITECTURES.names)
    num_layers: int = option(2, "number of LSTM layers", minimum=1, maximum=100, requires=RECURRENT)
    num_hidden: int = option(100, "LSTM units per layer and direction", minimum=1, maximum=MAX_SIZE, requires=RECURRENT)
    lstm_graph: str = option(
        "fused", "the LSTM in training: one fused operator, or a graph unrolled over the time steps",
        choices=("fused", "unrolled"), requires=LSTM,
    )  # fmt: skip
    features: Integers = option(
        (32, 48, 64, 96), "filters of each convolution", minimum=1, maximum=MAX_SIZE, requires=CONVOLUTIONAL
    )
    kernels: Integers = option(
        (3, 3, 3, 3), "kernel size of each convolution, odd", minimum=1, maximum=99, requires=CONVOLUTIONAL
    )
    strides: Integers = option(
        (1, 1, 1, 1), "stride of each convolution", minimum=1, maximum=99, requires=CONVOLUTIONAL
    )
    pool_heights: Integers = option(
        (2, 2, 2, 2), "max-pooling height after each convolution", minimum=1, maximum=99, requires=CONVOLUTIONAL
    )
    pool_widths: Integers = option(
        (2, 2, 1, 1), "max-pooling width after each convolution", minimum=1, maximum=99, requires=CONVOLUTIONAL
    )
    batch_norm: bool = option(
        True, "batch norm after each convolution, and after pooling average", requires=CONVOLUTIONAL
    )
    norm_place: str = option(
        "before", "batch norm before or after the ReLU of its convolution", choices=("before", "after"),
        requires={**CONVOLUTIONAL, "batch_norm": (True,)},
    )  # fmt: skip
    residual: bool = option(
        False, "add the input of a convolution to its output before the ReLU, where both have the same shape",
        requires=CONVOLUTIONAL,
    )  # fmt: skip
    pooling: str = option(
        "flatten", "what the dense layers are given: all values of the last feature maps (flatten), or the mean of "
        "each map (average)", choices=("flatten", "average"), requires=CNN,
    )  # fmt: skip
    dense: Integers = option(
        (200, 200), "units of each dense layer before the last one", minimum=1, maximum=MAX_SIZE, requires=CNN
    )
    dropout: float = option(
        0.0, "dropout after each LSTM layer, or after the pooling and each dense layer", minimum=0.0, maximum=0.95,
        requires=CONVOLUTIONAL,
    )  # fmt: skip
    input_mean: float = option(225.0, "pixel value (0 to 255) that is normalised to 0: about the paper's")
    input_scale: float = option(20.0, "difference from input_mean that is normalised to 1", minimum=1e-6)

    def adds_input(self, index: int) -> bool:
        """Whether convolution number `index` is a residual one: with `residual`, where its output has the shape of its
        input."""
        pool = (self.strides[index], self.pool_heights[index], self.pool_widths[index])
        same = index > 0 and self.features[index] == self.features[index - 1] and pool == (1, 1, 1)
        return self.residual and same


@dataclass(frozen=True)
class Training:
    """How the network is trained. After each epoch, of samples_per_epoch images, it is validated and saved."""

    loss: str = option(
        "ctc", "CTC loss (MXNet's operator, or Baidu's warp-ctc), or softmax: the same for networks of one time step",
        choices=("ctc", "warpctc", "softmax"),
    )  # fmt: skip
    batch_size: int = option(32, "samples per batch, of all workers", minimum=1, maximum=MAX_SIZE)
    workers: int = option(
        0, "training processes on this machine, which share each batch; 0: as many as are fastest", minimum=0,
        maximum=MAX_WORKERS,
    )  # fmt: skip
    num_epoch: int = option(18, "maximum number of epochs", minimum=1)
    samples_per_epoch: int = option(
        5_000, "samples per epoch; 0: 100 updates of labelled images, or 15000 wild images", minimum=0
    )
    validation_samples: int = option(3_000, "generated images for validation, the same in every epoch", minimum=1)
    optimizer: str = option(
        "muon", "optimizer; muon updates matrices by their orthogonalised momentum, and the rest as adam does",
        choices=("muon", "adam", "sgd", "rmsprop"),
    )  # fmt: skip
    learning_rate: float = option(4e-3, "peak learning rate", minimum=0.0)
    momentum: float = option(0.9, "momentum", minimum=0.0, requires={"optimizer": ("sgd",)})
    weight_decay: float = option(0.0, "weight decay", minimum=0.0)
    warmup_updates: int = option(
        50, "updates in which the learning rate rises from 0 to its peak", minimum=0,
        requires={"schedule": ("cosine", "constant", "plateau", "wsd")},
    )  # fmt: skip
    schedule: str = option(
        "cosine", "learning rate schedule; one_cycle has its own warm-up, plateau reduces it when validation stalls, "
        "wsd (warm-up, stable, decay) lets it fall to 0 then, and the run ends",
        choices=("cosine", "constant", "one_cycle", "plateau", "wsd"),
    )  # fmt: skip
    plateau_patience: int = option(
        5, "epochs without improvement before the rate is reduced", minimum=1, requires={"schedule": ("plateau",)}
    )
    plateau_factor: float = option(
        0.5, "factor by which the rate is reduced", minimum=0.0, maximum=1.0, requires={"schedule": ("plateau",)}
    )
    decay_fraction: float = option(
        0.25, "length of wsd's decay as a fraction of the epochs before it", minimum=0.0, maximum=10.0,
        requires={"schedule": ("wsd",)},
    )  # fmt: skip
    stop_patience: int = option(
        0, "early stopping after this many epochs without improvement; wsd begins to decay after them, and waits "
        "longer in a long run and on the all-blank plateau; 0: never",
        minimum=0,
    )  # fmt: skip
    max_minutes: float = option(
        0.0,
        "end with the last epoch that fits into this many minutes, but not before the first, and fit the schedule to "
        "it; 0: no limit",
        minimum=0.0,
    )
    average_power: float = option(
        8.0, "checkpoints have an average of the weights over the run, in which those after update n count as n to the "
        "power of this; 0: the weights after the last update", minimum=0.0,
    )  # fmt: skip
    label_smoothing: float = option(
        0.0, "share of the target probability that is spread evenly over all units", minimum=0.0, maximum=0.9,
        requires={**CNN, "loss": ("softmax",)},
    )  # fmt: skip
    balance: float = option(
        0.0, "how much more often labelled training images of rare units come: their weight is the number of their "
        "unit's occurrences to the power of minus this; 0: all equally often, 1: all units equally often",
        minimum=0.0, maximum=1.0,
    )  # fmt: skip
    freeze: Strings = option(
        (), "layers whose weights and moving averages stay as they are, separated by commas; the beginning of a "
        "name, such as conv, stands for all layers whose names begin so",
    )  # fmt: skip
    keep: int = option(0, "number of newest checkpoints to keep, in addition to the best; 0: all", minimum=0)
    checkpoint_minutes: float = option(
        10.0, "minutes after which a state to resume from is saved within a long epoch; 0: only after epochs",
        minimum=0.0,
    )  # fmt: skip
    on_divergence: str = option(
        "stop", "when weights or loss are not finite, or the loss explodes: stop, or restart from the last epoch at "
        "half the learning rate", choices=("stop", "restart"),
    )  # fmt: skip
    clip_gradient: float = option(1.0, "maximum norm of the gradient; 0: no clipping", minimum=0.0)
    seed: int = option(0, "seed of images, initial weights and order", minimum=0, maximum=2**64 - 1)
    target_accuracy: float = option(
        0.0, "stop after the epoch whose validation accuracy reaches this; 0: never", minimum=0.0, maximum=1.0
    )


@dataclass(frozen=True)
class Augmentation:
    """How labelled training images are changed at random. Amounts are uniform in [-max, max], or [0, max] where they
    have no direction; 0 switches one off."""

    augment: bool = option(False, "augment labelled training images, in the ranges below")
    max_rotation: float = option(0.5, "rotation in degrees", minimum=0.0, maximum=180.0, requires=AUGMENT)
    max_shear: float = option(
        0.2, "horizontal shear: columns that a row moves relative to the next", minimum=0.0, maximum=2.0,
        requires=AUGMENT,
    )  # fmt: skip
    max_scale: float = option(
        0.1, "fraction by which width and height are scaled independently; height as far as there is room",
        minimum=0.0, maximum=0.5, requires=AUGMENT,
    )  # fmt: skip
    max_padding: float = option(
        0.1, "paper added left and right, as a fraction of the height", minimum=0.0, maximum=2.0, requires=AUGMENT
    )
    max_shift: float = option(
        0.1, "vertical shift of the ink, as a fraction of the height, as far as there is room",
        minimum=0.0, maximum=1.0, requires=AUGMENT,
    )  # fmt: skip
    max_warp: float = option(
        0.0, "elastic warp: displacement as a fraction of the height", minimum=0.0, maximum=0.1, requires=AUGMENT
    )
    max_brightness: float = option(
        0.1, "brightness, as a fraction of the full range", minimum=0.0, maximum=1.0, requires=AUGMENT
    )
    max_contrast: float = option(
        0.3, "contrast: multiplied by 1/(1 + this) to 1 + this", minimum=0.0, maximum=10.0, requires=AUGMENT
    )
    max_blur: float = option(0.5, "Gaussian blur: sigma in pixels", minimum=0.0, maximum=20.0, requires=AUGMENT)
    max_noise: float = option(
        0.0, "Gaussian noise: sigma in pixel values", minimum=0.0, maximum=128.0, requires=AUGMENT
    )
    max_hue: float = option(0.0, "hue shift in degrees", minimum=0.0, maximum=180.0, requires=AUGMENT_COLOUR)
    max_saturation: float = option(
        0.0, "fraction by which the saturation changes", minimum=0.0, maximum=1.0, requires=AUGMENT_COLOUR
    )
