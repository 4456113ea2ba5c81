"""Train CTC text recognisers on Apache MXNet: captchas, words, lines of text.

What is named here is the public interface; nothing else is promised to stay. Everything is imported when it is first
used: `import ctc_ocr` loads neither MXNet nor numba. `ctc_ocr.mxnet` is MXNet itself, made to import on current Python
and NumPy.
"""

import importlib
from typing import TYPE_CHECKING, Any

from ctc_ocr.version import __version__

if TYPE_CHECKING:
    from ctc_ocr.alphabet import Alphabet as Alphabet
    from ctc_ocr.checkpoint.bundling import bundle_model as bundle_model
    from ctc_ocr.config.architectures import register_architecture as register_architecture
    from ctc_ocr.config.hyperparameters import Hyperparameters as Hyperparameters
    from ctc_ocr.config.presets import PRESETS as PRESETS
    from ctc_ocr.config.presets import preset as preset
    from ctc_ocr.config.renderers import register_renderer as register_renderer
    from ctc_ocr.config.sections import Augmentation as Augmentation
    from ctc_ocr.config.sections import Data as Data
    from ctc_ocr.config.sections import Network as Network
    from ctc_ocr.config.sections import Training as Training
    from ctc_ocr.config.tasks import Task as Task
    from ctc_ocr.config.tasks import register_task as register_task
    from ctc_ocr.datasets.captcha_files import CaptchaWriter as CaptchaWriter
    from ctc_ocr.datasets.samples import Problem as Problem
    from ctc_ocr.datasets.samples import Sample as Sample
    from ctc_ocr.datasets.samples import SourceOptions as SourceOptions
    from ctc_ocr.datasets.sources import open_source as open_source
    from ctc_ocr.datasets.sources import register_source as register_source
    from ctc_ocr.decoding.beam_search import BeamSearch as BeamSearch
    from ctc_ocr.decoding.decoder import Decoder as Decoder
    from ctc_ocr.decoding.language_model import LanguageModel as LanguageModel
    from ctc_ocr.decoding.word_list import WordList as WordList
    from ctc_ocr.distributed.server import serve_cluster as serve_cluster
    from ctc_ocr.errors import InputError as InputError
    from ctc_ocr.errors import RunError as RunError
    from ctc_ocr.errors import UserError as UserError
    from ctc_ocr.evaluation.result import EvaluationResult as EvaluationResult
    from ctc_ocr.experiments.audit import Audit as Audit
    from ctc_ocr.experiments.audit import Suspect as Suspect
    from ctc_ocr.experiments.audit import audit_labels as audit_labels
    from ctc_ocr.experiments.cross_validation import CrossValidation as CrossValidation
    from ctc_ocr.experiments.cross_validation import cross_validate as cross_validate
    from ctc_ocr.experiments.label_readings import LabelReading as LabelReading
    from ctc_ocr.experiments.learning_curve import LearningCurve as LearningCurve
    from ctc_ocr.experiments.learning_curve import learning_curve as learning_curve
    from ctc_ocr.experiments.self_training import train_with_unlabelled as train_with_unlabelled
    from ctc_ocr.experiments.suspects_file import correct_labels as correct_labels
    from ctc_ocr.experiments.suspects_file import write_suspects as write_suspects
    from ctc_ocr.export.onnx import Export as Export
    from ctc_ocr.export.onnx import export_onnx as export_onnx
    from ctc_ocr.inference.evaluate import Evaluation as Evaluation
    from ctc_ocr.inference.evaluate import evaluate as evaluate
    from ctc_ocr.inference.prediction import Character as Character
    from ctc_ocr.inference.prediction import Prediction as Prediction
    from ctc_ocr.inference.predictor import Predictor as Predictor
    from ctc_ocr.inference.reader_pool import ReaderPool as ReaderPool
    from ctc_ocr.inference.readings_csv import Reading as Reading
    from ctc_ocr.inference.readings_csv import write_readings as write_readings
    from ctc_ocr.inference.text_files import write_text as write_text
    from ctc_ocr.interpretation.interpreting import ConfusedPair as ConfusedPair
    from ctc_ocr.interpretation.interpreting import Example as Example
    from ctc_ocr.interpretation.interpreting import Interpretation as Interpretation
    from ctc_ocr.interpretation.interpreting import interpret as interpret
    from ctc_ocr.lengths import Lengths as Lengths
    from ctc_ocr.rendering.renderer import Renderer as Renderer
    from ctc_ocr.runtime.types import MXNet
    from ctc_ocr.training.events import BatchEnd as BatchEnd
    from ctc_ocr.training.events import EpochEnd as EpochEnd
    from ctc_ocr.training.events import Progress as Progress
    from ctc_ocr.training.events import Restarted as Restarted
    from ctc_ocr.training.events import Saved as Saved
    from ctc_ocr.training.events import StateSaved as StateSaved
    from ctc_ocr.training.events import ValidationPrediction as ValidationPrediction
    from ctc_ocr.training.events import register_callback as register_callback
    from ctc_ocr.training.learning_rate import find_learning_rate as find_learning_rate
    from ctc_ocr.training.rate_curve import RateCurve as RateCurve
    from ctc_ocr.training.rate_plot import plot_curve as plot_curve
    from ctc_ocr.training.results import TrainingResult as TrainingResult
    from ctc_ocr.training.session import TrainingSession as TrainingSession
    from ctc_ocr.training.session import train as train
    from ctc_ocr.training.settings import Captchas as Captchas
    from ctc_ocr.training.settings import LabelledImages as LabelledImages
    from ctc_ocr.training.settings import RunOptions as RunOptions

    mxnet: MXNet

_HOMES = {
    "evaluation.result": ("EvaluationResult",),
    "alphabet": ("Alphabet",),
    "checkpoint.bundling": ("bundle_model",),
    "config.architectures": ("register_architecture",),
    "config.hyperparameters": ("Hyperparameters",),
    "config.presets": ("PRESETS", "preset"),
    "config.renderers": ("register_renderer",),
    "config.tasks": ("Task", "register_task"),
    "config.sections": ("Augmentation", "Data", "Network", "Training"),
    "datasets.captcha_files": ("CaptchaWriter",),
    "datasets.samples": ("Problem", "Sample", "SourceOptions"),
    "datasets.sources": ("open_source", "register_source"),
    "decoding.beam_search": ("BeamSearch",),
    "decoding.decoder": ("Decoder",),
    "decoding.language_model": ("LanguageModel",),
    "decoding.word_list": ("WordList",),
    "distributed.server": ("serve_cluster",),
    "errors": ("InputError", "RunError", "UserError"),
    "experiments.audit": ("Audit", "Suspect", "audit_labels"),
    "experiments.cross_validation": ("CrossValidation", "cross_validate"),
    "experiments.label_readings": ("LabelReading",),
    "experiments.learning_curve": ("LearningCurve", "learning_curve"),
    "experiments.suspects_file": ("correct_labels", "write_suspects"),
    "experiments.self_training": ("train_with_unlabelled",),
    "export.onnx": ("Export", "export_onnx"),
    "inference.evaluate": ("Evaluation", "evaluate"),
    "inference.prediction": ("Character", "Prediction"),
    "inference.predictor": ("Predictor",),
    "inference.reader_pool": ("ReaderPool",),
    "inference.readings_csv": ("Reading", "write_readings"),
    "inference.text_files": ("write_text",),
    "interpretation.interpreting": ("ConfusedPair", "Example", "Interpretation", "interpret"),
    "lengths": ("Lengths",),
    "rendering.renderer": ("Renderer",),
    "training.events": (
        "BatchEnd",
        "EpochEnd",
        "Progress",
        "Restarted",
        "Saved",
        "StateSaved",
        "ValidationPrediction",
        "register_callback",
    ),
    "training.learning_rate": ("find_learning_rate",),
    "training.rate_curve": ("RateCurve",),
    "training.rate_plot": ("plot_curve",),
    "training.results": ("TrainingResult",),
    "training.session": ("TrainingSession", "train"),
    "training.settings": ("Captchas", "LabelledImages", "RunOptions"),
}
_MODULES = {name: f"ctc_ocr.{module}" for module, names in _HOMES.items() for name in names}

__all__ = ["__version__", "mxnet", *sorted(_MODULES)]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name == "mxnet":
        return importlib.import_module("ctc_ocr.runtime.mxnet").mx
    if name in _MODULES:
        value = getattr(importlib.import_module(_MODULES[name]), name)
        globals()[name] = value  # the next access does not come here
        return value
    raise AttributeError(f"module 'ctc_ocr' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
