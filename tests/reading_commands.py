"""Shared by the tests of infer and evaluate: pairs of commands that differ in exactly one decoding flag (WORDS stands
for a file of words), batch sizes, histories, and a model whose architecture is not registered."""

import json

from ctc_ocr.checkpoint import history

WORDS = "WORDS"
SEARCH = ("--beam_width", "20")
MODEL = (*SEARCH, "--language_model", WORDS)
LISTED = (*SEARCH, "--words", WORDS)

PAIRS = {
    "beam_width": (("--beam_width", "1"), SEARCH),
    "allowed": ((), ("--allowed", "0123")),
    "lengths": ((), ("--lengths", "3")),
    "length_bonus": (SEARCH, (*SEARCH, "--length_bonus", "3")),
    "language_model": (SEARCH, MODEL),
    "lm_weight": (MODEL, (*MODEL, "--lm_weight", "3")),
    "lm_order": (MODEL, (*MODEL, "--lm_order", "1")),
    "words": (SEARCH, LISTED),
    "views": ((), ("--views", "3")),
    "separators": ((*LISTED, "--separators", ""), (*LISTED, "--separators", "7")),
}


def fix_threads(monkeypatch):
    """The commands set the number of threads for their process: not for the tests after them."""
    for name in ("OMP_NUM_THREADS", "MXNET_OMP_MAX_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, "1")


def with_words(flags, words):
    return [str(words) if flag == WORDS else flag for flag in flags]


def sizes_of_batches(monkeypatch, predictor_class):
    """A list to which each call of the network adds its number of images."""
    sizes, run = [], predictor_class.log_probabilities

    def counted(self, images, *others):
        sizes.append(len(images))
        return run(self, images, *others)

    monkeypatch.setattr(predictor_class, "log_probabilities", counted)
    return sizes


def write_history(prefix, ranks):
    """Write a history with the validation CER of each epoch of {epoch: CER}."""
    history.write(
        prefix, [history.Row(epoch, 64, 1.0, 0.1, 1.0, 0.5, 0.5, 1.0, 0.5, cer) for epoch, cer in ranks.items()]
    )


def with_unknown_architecture(prefix):
    """Change the description of a model to an architecture that is not registered."""
    path = prefix.with_name(f"{prefix.name}.json")
    described = json.loads(path.read_text())
    described["hyperparameters"]["network"]["architecture"] = "unheard_of"
    path.write_text(json.dumps(described))
