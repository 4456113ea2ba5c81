"""The same network for taller images, in which small characters have more pixels."""

from dataclasses import replace

from ctc_ocr.config.hyperparameters import Hyperparameters


def for_height(settings: Hyperparameters, height: int) -> Hyperparameters:
    """The hyperparameters for images of a greater height, in pixels. The network pools more rows after its last
    convolution, so that as many are left as before, and the weights of the one fit the other."""
    *others, _ = settings.network.pool_heights
    unpooled = replace(settings.network, pool_heights=(*others, 1))
    taller = replace(settings, data=replace(settings.data, height=height), network=unpooled)
    pool = taller.geometry.num_rows // settings.geometry.num_rows
    return replace(taller, network=replace(unpooled, pool_heights=(*others, pool)))
