"""What a session is given: what is used where nothing is, and what contradicts each other."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from ctc_ocr.config.hyperparameters import Hyperparameters, read_sections
from ctc_ocr.config.presets import PRESETS, preset
from ctc_ocr.datasets.choices import CHOSEN
from ctc_ocr.errors import InputError
from ctc_ocr.training.settings import Captchas, LabelledImages, RunOptions
from ctc_ocr.training.start import Start, network_of
from ctc_ocr.training.tensorboard import require_tensorboard


def with_choices(data: LabelledImages, options: RunOptions, is_default: bool) -> LabelledImages:
    """With the names of the hyperparameters that are chosen from the images; None if nothing is, since hyperparameters
    are given. Those of a run that is resumed stay, and so does the height of a model to start from: its LSTM fits no
    other."""
    names = CHOSEN if data.choose is None and (is_default or options.resume) else data.choose
    if names is None:
        return data
    kept = CHOSEN if options.resume else ("height",) if Start(options).named is not None else ()
    return replace(data, choose=tuple(name for name in names if name not in kept))


def with_choices_of_run(hyperparameters: Hyperparameters, names: Collection[str], prefix: str) -> Hyperparameters:
    """With what was chosen from the images when the run under a prefix began, of these names: it keeps that when it is
    resumed. Without a description of the run, as they are. Raises InputError for a broken one."""
    description = Path(f"{prefix}.json")
    if not names or not description.is_file():
        return hyperparameters
    of_run = Hyperparameters.from_dict(read_sections(description))
    data = replace(hyperparameters.data, **{name: getattr(of_run.data, name) for name in names})
    network = hyperparameters.network
    if data.height != hyperparameters.data.height:  # for_height changes both
        network = replace(network, pool_heights=of_run.network.pool_heights)
    return replace(hyperparameters, data=data, network=network)


def default_hyperparameters(data: Captchas | LabelledImages, options: RunOptions) -> Hyperparameters:
    """What is used where no hyperparameters are given."""
    description = Path(f"{options.prefix}.json")
    if options.resume and description.is_file():
        return Hyperparameters.from_dict(read_sections(description))
    name = Start(options).named
    start = {} if name is None or options.resume else network_of(name)
    return preset("lstm" if isinstance(data, Captchas) else "word", start)


def check_kinds(hyperparameters: object, data: object, callbacks: object) -> None:
    """Raises InputError for arguments of other types, with what is accepted."""
    if not isinstance(hyperparameters, Hyperparameters):
        are_images = isinstance(hyperparameters, (str, Path, Captchas, LabelledImages))
        hint = "; images are given as data=..." if are_images and hyperparameters not in [*PRESETS] else ""
        raise InputError(
            f"expected Hyperparameters, as from preset(); got {hyperparameters!r}{hint}", "hyperparameters"
        )
    if not isinstance(data, (Captchas, LabelledImages)):
        hint = "; Captchas(renderer=...) takes a renderer" if hasattr(data, "render_batch") else ""
        if isinstance(data, (list, tuple)):
            hint = "; LabelledImages([...]) takes several sources"
        raise InputError(f"expected Captchas, LabelledImages or a path, got {type(data).__name__}{hint}", "data")
    if not isinstance(callbacks, Sequence) or isinstance(callbacks, str):
        raise InputError(f"expected a list of callbacks, got {callbacks!r}", "callbacks")
    for each in callbacks:
        if isinstance(each, type) or not callable(each):
            raise InputError(
                f"expected functions or objects that can be called with an event, got {each!r}", "callbacks"
            )


def check_options(hyperparameters: Hyperparameters, options: RunOptions) -> None:
    """Raises InputError for options that contradict the hyperparameters, or each other, or need what is not
    installed."""
    batch_size, gpus = hyperparameters.training.batch_size, len(options.gpus)
    if gpus and batch_size % gpus:
        raise InputError(f"{batch_size} cannot be divided by {gpus} GPUs", "batch_size")
    if options.resume and (options.init_from or options.overwrite):
        other = "init_from" if options.init_from else "overwrite"
        raise InputError("has no effect on a run that is resumed: it goes on from its own files", other)
    if options.tensorboard:
        require_tensorboard()  # not only once all images have been read
