"""What was probably meant by a flag that does not exist."""

from collections.abc import Iterable

from ctc_ocr.runtime.suggestions import like

# What other programs call a flag -> our names, of which a command has one. Names without hyphens and underscores.
SYNONYMS: dict[str, tuple[str, ...]] = {
    "backbone": ("architecture",),
    "bs": ("batch_size",),
    "characters": ("alphabet", "allowed"),
    "charset": ("alphabet", "allowed"),
    "checkpoint": ("model", "init_from"),
    "confidence": ("min_confidence",),
    "continue": ("resume",),
    "cuda": ("gpu",),
    "dataset": ("data",),
    "dest": ("out", "output_dir", "report", "prefix"),
    "device": ("gpu",),
    "dictionary": ("words", "lookup"),
    "epochs": ("num_epoch", "epoch"),
    "finetune": ("init_from",),
    "force": ("overwrite",),
    "gpus": ("gpu",),
    "hidden": ("num_hidden",),
    "input": ("csv", "data"),
    "jobs": ("num_proc",),
    "layers": ("num_layers",),
    "lexicon": ("words",),
    "lr": ("learning_rate",),
    "maxepochs": ("num_epoch",),
    "name": ("prefix", "model"),
    "nbest": ("top_k",),
    "network": ("architecture",),
    "numworkers": ("num_proc", "workers"),
    "output": ("out", "output_dir", "report", "write_lookup", "prefix"),
    "outdir": ("output_dir", "out", "prefix"),
    "outputdir": ("output_dir", "out", "prefix"),
    "plugin": ("import",),
    "patience": ("stop_patience",),
    "pretrained": ("init_from",),
    "processes": ("num_proc",),
    "randomseed": ("seed",),
    "restart": ("resume",),
    "savedir": ("prefix", "output_dir"),
    "text": ("num",),
    "threads": ("cpu",),
    "threshold": ("min_confidence",),
    "traindata": ("data",),
    "valsplit": ("validation_fraction",),
    "vocab": ("alphabet", "lookup", "words"),
    "wd": ("weight_decay",),
    "weights": ("model", "init_from"),
    "workers": ("num_proc",),
    "yes": ("overwrite",),
}


def flag_like(given: str, flags: Iterable[str]) -> str:
    """The flag of a command, such as --num_epoch, that `given` stands for; "" if none is near.

    `given`: as it was written, perhaps with =VALUE. `flags`: those of the command, with their hyphens.
    """
    names = {_plain(flag): flag for flag in flags if flag.startswith("--")}
    asked = _plain(given.partition("=")[0])
    wanted = [asked, *map(_plain, SYNONYMS.get(asked, ()))]
    return next((names[name] for name in wanted if name in names), "") or names.get(like(asked, names), "")


def see_help(message: str, prog: str) -> str:
    """What follows a message about the arguments of a command."""
    return f"{' See' if message.endswith('?') else '; see'} {prog} --help"


def _plain(flag: str) -> str:
    return flag.lower().replace("-", "").replace("_", "")
