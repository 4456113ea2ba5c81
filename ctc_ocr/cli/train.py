"""ctc-ocr train: train a network on captchas that are rendered meanwhile, or on labelled images."""

import argparse
import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ctc_ocr.checkpoint.starter import NO_MODEL
from ctc_ocr.cli.arguments import (
    MAX_PROCESSES,
    MAX_THREADS,
    Parser,
    add_hyperparameters,
    add_import,
    add_version,
    fraction,
    integer,
    integers,
    non_empty,
)
from ctc_ocr.cli.data_options import (
    LABEL_OPTIONS,
    add_label_options,
    add_taken,
    given_alphabet,
    hyperparameters,
    names_to_choose,
    source_options,
)
from ctc_ocr.cli.running import BY_SIGNAL, INTERRUPTED, run, set_up_logging
from ctc_ocr.cli.train_folds import print_folds, refuse_of_a_model
from ctc_ocr.config import presets
from ctc_ocr.config.hyperparameters import Hyperparameters, options, read_sections
from ctc_ocr.config.registries import TASKS
from ctc_ocr.config.tasks import Task
from ctc_ocr.datasets.samples import PAGE_OPTIONS, SourceOptions
from ctc_ocr.datasets.sources.pages import find_pages
from ctc_ocr.distributed.server import is_server, serve_cluster
from ctc_ocr.errors import InputError, RunError
from ctc_ocr.experiments.self_training import train_with_unlabelled
from ctc_ocr.runtime.threads import available_cores
from ctc_ocr.training.events import make_callback
from ctc_ocr.training.results import TrainingResult
from ctc_ocr.training.session import TrainingSession
from ctc_ocr.training.settings import DIST_SYNC, Captchas, LabelledImages, RunOptions
from ctc_ocr.training.start import network_of

PROG = "ctc-ocr train"
# Hyperparameters and options that have no effect on labelled images, and on captchas.
OF_CAPTCHAS = ("min_length", "max_length", "renderer", "draw_width", "draw_height", "validation_samples")
OF_LABELLED = (
    "folds", "task", "unlabelled", "validation", "validation_fraction", "lookup", "max_units", "only_alphabet",
    "max_invalid",
    *LABEL_OPTIONS,
)  # fmt: skip

log = logging.getLogger(__name__)


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit status."""
    return run(PROG, _train, argv, parser)


def parser() -> argparse.ArgumentParser:
    """Every hyperparameter is a flag; what is not given comes from --config, then --preset, then the defaults."""
    made = Parser(prog=PROG, description="Train a network to read captchas, words or lines of text.")
    made.add_argument("--prefix", default="ocr", help="beginning of the names of the run's files (default: ocr)")
    existing = made.add_mutually_exclusive_group()
    existing.add_argument("--resume", action="store_true", help="resume the run under the prefix")
    existing.add_argument("--overwrite", action="store_true", help="replace the run under the prefix")
    made.add_argument(
        "--overfit_batch", action="store_true", help="check that one batch can be overfitted; nothing is saved"
    )
    made.add_argument("--print_network", action="store_true", help="print layers, shapes and parameters, and exit")
    made.add_argument(
        "--tensorboard", action="store_true", help="write PREFIX-tensorboard for TensorBoard (extra [tensorboard])"
    )
    made.add_argument(
        "--callback", action="append", default=[], metavar="NAME",
        help="call a registered callback during training; may be repeated",
    )  # fmt: skip
    _add_trainings(made.add_argument_group("several trainings on labelled images"))
    made.add_argument(
        "--kv_store", choices=(DIST_SYNC,),
        help="be a worker, a server or the scheduler of a cluster, as the environment variables DMLC_* say",
    )  # fmt: skip
    add_set_up(made, options())
    return made


def _add_trainings(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--unlabelled", type=non_empty, action="append", metavar="IMAGES",
        help="images without labels, or a folder of them: train on what the model reads in them too; may be repeated",
    )  # fmt: skip
    group.add_argument(
        "--folds", type=integer(2), metavar="K",
        help="train K times, each time without a K-th of --data, and print how well that part is read; saves no model",
    )  # fmt: skip


def add_set_up(made: argparse.ArgumentParser, names: Iterable[str]) -> None:
    """The flags for the images, the network and the device, for every command that trains; `names` are those of the
    hyperparameters that it has."""
    made.add_argument("font", nargs="?", help="font file or folder of fonts (default: the captcha package's font)")
    made.add_argument("--config", type=non_empty, metavar="FILE.json", help="hyperparameters, as in PREFIX.json")
    made.add_argument(
        "--preset", choices=presets.PRESETS, help="hyperparameters to start from (default: lstm; with --data: word)"
    )
    made.add_argument(
        "--task", choices=TASKS.names(),
        help="what is to be read: sets --preset, and for pages --scope and --charset; flags override it",
    )  # fmt: skip
    made.add_argument(
        "--init_from",
        type=non_empty,
        metavar="MODEL",
        help="start from the weights of this model, as far as they fit: a prefix (its best epoch), .params or bundle; "
        "none: from random weights (default: the starter model, if it fits the labelled images)",
    )
    _add_labelled(made.add_argument_group("labelled images"))
    num_proc = max(1, available_cores() // 2)
    made.add_argument(
        "--num_proc", type=integer(1, MAX_PROCESSES), default=num_proc,
        help="image processes: they render, read and augment images (default: half the cores)",
    )  # fmt: skip
    device = made.add_mutually_exclusive_group()
    device.add_argument(
        "--cpu",
        type=integer(1, MAX_THREADS),
        help="threads of each training process (default: 1 with several --workers, else the cores left by --num_proc)",
    )
    device.add_argument("--gpu", type=integer(0), default=0, help="number of GPUs for training (default: 0)")
    device.add_argument(
        "--gpu_ids", type=integers, default=(), metavar="NUMBERS", help="numbers of the GPUs for training, such as 1,3"
    )
    add_hyperparameters(made.add_argument_group("hyperparameters"), names, suppress=True)
    add_import(made)
    add_version(made)


def _add_labelled(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--data", type=non_empty, action="append", metavar="SOURCE",
        help="labelled images to train on; may be repeated, and all are put together",
    )  # fmt: skip
    held_out = group.add_mutually_exclusive_group()
    held_out.add_argument(
        "--validation", type=non_empty, action="append", metavar="SOURCE",
        help="images for validation; may be repeated (default: a part of --data)",
    )  # fmt: skip
    held_out.add_argument(
        "--validation_fraction", type=fraction, metavar="P",
        help="about this fraction of --data is held out for validation, chosen by the pixels (default: 0.1, but at "
        "least 10 images or a fifth, and at most about 1000)",
    )  # fmt: skip
    held_out.add_argument("--validation_share", dest="validation_fraction", type=fraction, help=argparse.SUPPRESS)
    add_taken(group)
    group.add_argument(
        "--max_invalid", type=fraction, default=0.1, metavar="P",
        help="maximum fraction of invalid samples (default: 0.1)",
    )  # fmt: skip
    group.add_argument(
        "--max_bad", dest="max_invalid", type=fraction, help=argparse.SUPPRESS, default=argparse.SUPPRESS
    )
    add_label_options(group)


def _train(argv: list[str]) -> int:
    arguments = parser().parse_args(argv)
    set_up_logging()
    if arguments.kv_store and is_server():
        serve_cluster()
        return 0
    session = session_of(arguments)
    if arguments.folds:
        print_folds(session, arguments.folds)
        return 0
    if arguments.print_network:
        print(session.network_summary(), end="")
        return 0
    if arguments.overfit_batch:
        if not session.overfit_batch().succeeded:
            raise RunError("could not overfit one batch: check the hyperparameters before training on more")
        log.info("One batch was overfitted: this set-up can learn")
        return 0
    result = _result(session, arguments.unlabelled)
    if result.finished:
        return 0
    instead = " in place of --overwrite" if arguments.overwrite else ""
    log.info("Interrupted. The run is saved; continue it with the same command and --resume%s", instead)
    return BY_SIGNAL + result.signal if result.signal else INTERRUPTED


def _result(session: TrainingSession, unlabelled: list[str] | None) -> TrainingResult:
    """The run's result; with images without labels, that of the last of several trainings."""
    if not unlabelled:
        return session.run()
    assert isinstance(session.data, LabelledImages)
    return train_with_unlabelled(
        session.data, unlabelled, session.hyperparameters, session.options, callbacks=session.callbacks
    )


def session_of(arguments: argparse.Namespace) -> TrainingSession:
    """What the arguments ask for. Raises InputError for those that contradict each other."""
    _refuse_without_effect(arguments)
    return TrainingSession(
        *set_up(arguments, _settings_of_run(arguments) if arguments.resume else None),
        replace(
            run_options(arguments),
            prefix=arguments.prefix,
            resume=arguments.resume,
            overwrite=arguments.overwrite,
            kv_store=arguments.kv_store,
            tensorboard=arguments.tensorboard,
        ),
        [make_callback(name) for name in arguments.callback],
    )


def run_options(arguments: argparse.Namespace) -> RunOptions:
    """What the flags of add_set_up say of the start and the devices."""
    return RunOptions(
        init_from=arguments.init_from,
        num_proc=arguments.num_proc,
        cpu=arguments.cpu,
        gpu=arguments.gpu,
        gpu_ids=arguments.gpu_ids,
    )


def _settings_of_run(arguments: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """{section: {name: value}} of the run that is resumed; empty if it has no description. Warns of a --preset or
    --task of another network."""
    description = Path(f"{arguments.prefix}.json")
    if not description.is_file():
        return {}
    settings = read_sections(description)
    if arguments.task:
        _warn_of_another_network("--task", arguments.task, TASKS.get(arguments.task).preset, settings)
    if arguments.preset:
        _warn_of_another_network("--preset", arguments.preset, arguments.preset, settings)
    return settings


def _warn_of_another_network(flag: str, name: str, preset: str, settings: Mapping[str, Mapping[str, Any]]) -> None:
    """The command that is repeated with --resume may name the run's preset or task; another one has no effect."""
    of_run, of_preset = settings.get("network", {}), presets.preset(preset).network
    same = of_run.get("architecture") == of_preset.architecture
    if not same or of_run.get("features") != list(of_preset.features):
        log.warning("%s %s has no effect: a run that is resumed keeps its own network", flag, name)


def set_up(
    arguments: argparse.Namespace, of_run: Mapping[str, Mapping[str, Any]] | None = None
) -> tuple[Hyperparameters, Captchas | LabelledImages]:
    """What the flags of add_set_up ask for; where they and --config say nothing, as in the settings `of_run`, if one is
    resumed. Raises InputError for those that contradict each other."""
    task = None if arguments.task is None else TASKS.get(arguments.task)
    if task is not None:
        _take_flags_of(task, arguments)
    names_network = arguments.config or arguments.preset or of_run is not None
    choose = names_to_choose(arguments)
    arguments.preset = arguments.preset or ("word" if arguments.data else "lstm")
    _refuse_those_of_other_images(arguments)
    named = arguments.init_from and arguments.init_from != NO_MODEL
    start = network_of(arguments.init_from) if named and not names_network else of_run
    changes = {} if task is None else task.changes
    return hyperparameters(arguments, start, changes), _data(arguments, choose)


def _take_flags_of(task: Task, arguments: argparse.Namespace) -> None:
    """The flags that a task stands for, unless they are given. Those of pages are for pages alone: single images are
    what the task would cut out of them."""
    of_pages = any(find_pages(Path(each), SourceOptions()) for each in arguments.data or ())
    for name, value in task.flags().items():
        if getattr(arguments, name, None) is None and (of_pages or name not in PAGE_OPTIONS):
            setattr(arguments, name, value)


def _data(arguments: argparse.Namespace, choose: Collection[str] = ()) -> Captchas | LabelledImages:
    if arguments.data is None:
        return Captchas(arguments.font)
    return LabelledImages(
        source=arguments.data,
        validation=arguments.validation,
        validation_fraction=arguments.validation_fraction,
        alphabet=given_alphabet(arguments),
        max_units=arguments.max_units,
        max_invalid=arguments.max_invalid,
        options=source_options(arguments),
        only_alphabet=arguments.only_alphabet,
        choose=choose,
    )


def _refuse_without_effect(arguments: argparse.Namespace) -> None:
    """Raises InputError for a flag that has no effect beside the others."""
    if arguments.folds:
        refuse_of_a_model(arguments, parser().parse_args([]))
    if arguments.unlabelled and arguments.resume:
        raise InputError("the trainings of --unlabelled cannot be resumed: only the last one is kept", "--resume")
    of_a_run = ("resume", "overwrite", "tensorboard", "unlabelled", "kv_store")
    for mode, names in (("overfit_batch", of_a_run), ("print_network", (*of_a_run, "init_from"))):
        for name in names:
            if getattr(arguments, mode) and getattr(arguments, name):
                raise InputError(f"has no effect with --{mode}, which saves nothing", f"--{name}")
    if arguments.config and not arguments.resume:
        _refuse_replaced_config(arguments)


def _refuse_those_of_other_images(arguments: argparse.Namespace) -> None:
    """Raises InputError for a flag for labelled images beside captchas, or the other way round."""
    if arguments.data is None:
        defaults = parser().parse_args([])
        given = [name for name in OF_LABELLED if getattr(arguments, name, None) != getattr(defaults, name)]
        if given:
            raise InputError("has no effect without --data", f"--{given[0]}")
    else:
        if arguments.font:
            raise InputError(f"a font ({arguments.font}) and --data: images are either generated or labelled")
        if given := [name for name in OF_CAPTCHAS if name in arguments]:
            raise InputError("has no effect with --data, which generates no captchas", f"--{given[0]}")


def _refuse_replaced_config(arguments: argparse.Namespace) -> None:
    """--config must not be a file that the run writes."""
    from ctc_ocr.checkpoint.run_files import existing_files

    written = [path.resolve() for path in existing_files(arguments.prefix)]
    if Path(arguments.config).resolve() in written:
        raise InputError(f"the run under {arguments.prefix!r} writes this file", f"--config {arguments.config}")
