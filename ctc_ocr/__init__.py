"""Train CTC text recognisers on Apache MXNet's symbolic API."""

from ctc_ocr.version import __version__

__all__ = ["__version__"]
