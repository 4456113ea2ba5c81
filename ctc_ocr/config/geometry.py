"""How the sizes of images become the sizes of batches and the time steps of a network."""

from dataclasses import dataclass
from functools import cached_property

from ctc_ocr.config.registries import ARCHITECTURES
from ctc_ocr.config.sections import Data, Network

BATCH_WIDTHS = 16
CONVOLUTIONAL = ("crnn", "cnn")  # architectures


@dataclass(frozen=True)
class Geometry:
    """Widths in pixels and numbers of time steps, for a network and the data that it is given."""

    data: Data
    network: Network

    def map_sizes(self) -> list[tuple[int, int]]:
        """(width, height) of the feature maps after each convolution and its pooling, of an image of the full size."""
        network, sizes = self.network, [(self.full_width, self.data.height)]
        for stride, rows, columns in zip(network.strides, network.pool_heights, network.pool_widths, strict=True):
            width, height = (-(-size // stride) for size in sizes[-1])
            sizes.append((width // columns, height // rows))
        return sizes[1:]

    @cached_property
    def values_per_image(self) -> int:
        """Values of the largest array that a network computes of one image: the image, a convolution's feature maps
        before they are pooled, or the gates of an LSTM layer. Of architectures of the user's own, the image alone."""
        data, network = self.data, self.network
        found = [self.full_width * data.height * data.channels]
        if network.architecture in CONVOLUTIONAL:
            width, height = self.full_width, data.height
            for features, stride, after in zip(network.features, network.strides, self.map_sizes(), strict=True):
                found.append(features * -(-width // stride) * -(-height // stride))
                width, height = after
        if network.architecture in ("crnn", "lstm"):
            found.append(4 * network.num_hidden * self.num_steps)
        return max(found)

    @property
    def num_steps(self) -> int:
        """Time steps of an image of the full width."""
        if self.network.architecture == "crnn":
            return self.map_sizes()[-1][0]
        return self.full_width // self.columns_per_step

    @property
    def num_rows(self) -> int:
        """Height of the feature maps after the last convolution; that of the image for an architecture without any, or
        of the user's own, for which the lists of convolutions may mean anything."""
        return self.map_sizes()[-1][1] if self.network.architecture in CONVOLUTIONAL else self.data.height

    @cached_property
    def columns_per_step(self) -> int:
        """Image columns per time step."""
        columns = ARCHITECTURES.get(self.network.architecture).columns_per_step
        return self.data.width if columns is None else int(columns(self.network))

    @property
    def is_one_step(self) -> bool:
        """Whether the whole image is one time step, whatever its width: a network for single characters."""
        return ARCHITECTURES.get(self.network.architecture).columns_per_step is None

    @property
    def full_width(self) -> int:
        """Width of a batch of the widest images: with keep_ratio, a multiple of columns_per_step."""
        if not self.data.keep_ratio:
            return self.data.width
        return -(-self.data.width // self.columns_per_step) * self.columns_per_step

    def batch_width(self, width: int) -> int:
        """Width of a batch whose widest image has `width`: a multiple of a sixteenth of the full width, and of
        columns_per_step. Few different widths, since each needs a network bound to it."""
        piece = -(-self.full_width // (BATCH_WIDTHS * self.columns_per_step)) * self.columns_per_step
        return min(-(-width // piece) * piece, self.full_width)

    def resized_width(self, width: int, height: int) -> int:
        """Width of an image of this size once it is resized to the network's height, without padding."""
        if not self.data.keep_ratio:
            return self.data.width
        return min(max(1, round(width * self.data.height / height)), self.data.width)

    def steps_of(self, width: int, height: int) -> int:
        """Time steps of an image of this size."""
        if not self.data.keep_ratio:
            return self.num_steps
        return -(-self.resized_width(width, height) // self.columns_per_step)
