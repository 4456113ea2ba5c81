"""The images of a run: generated captchas or labelled images, for training and for validation."""

from ctc_ocr.checkpoint.known_images import KnownImages
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.datasets.choices import FindRegion
from ctc_ocr.training.captcha_data import captcha_data
from ctc_ocr.training.labelled_data import Straighten, labelled_data
from ctc_ocr.training.run_data import TrainingData
from ctc_ocr.training.settings import Captchas, LabelledImages


def training_data(
    hyperparameters: Hyperparameters,
    data: Captchas | LabelledImages,
    progress: bool = True,
    before: KnownImages | None = None,
    from_starter: bool = False,
    find_region: FindRegion | None = None,
    straighten: Straighten | None = None,
) -> TrainingData:
    """Find, check and split the images. What is found and what is invalid is logged.

    `before`: the images of the run that this one continues or starts from, which stay in their parts. `from_starter`:
    the run starts from the starter model where that fits; the height that it needs is then kept. `find_region`: what
    then chooses the rows of the images. `straighten`: what straightens them where the hyperparameters say so.

    Raises InputError for fonts and sources that cannot be used, RunError where too many samples are invalid or none is
    left.
    """
    if isinstance(data, Captchas):
        return captcha_data(hyperparameters, data)
    return labelled_data(hyperparameters, data, progress, before, from_starter, find_region, straighten)
