"""k-fold evaluation and ensembling of image classifiers whose images come in groups.

The public names below are the contract; each is loaded when it is first used, so that importing
the package loads no framework. See ``docs/python.md``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ensemble_kit.core.version import __version__

if TYPE_CHECKING:
    from ensemble_kit.api.giving import explain, export, report
    from ensemble_kit.api.judging import ensemble, evaluate, validate
    from ensemble_kit.api.training import cross_validate, make_folds, tune
    from ensemble_kit.core.errors import EnsembleKitError
    from ensemble_kit.core.records import Estimate, Folds, ImageTable, Predictions
    from ensemble_kit.metrics.evaluation import Evaluation
    from ensemble_kit.study import Study
    from ensemble_kit.workflows.finished import FinishedRun, open_run
    from ensemble_kit.workflows.inputs import load_images
    from ensemble_kit.workflows.search import FinishedSearch

_HOME = {
    "cross_validate": "api.training",
    "ensemble": "api.judging",
    "evaluate": "api.judging",
    "explain": "api.giving",
    "export": "api.giving",
    "load_images": "workflows.inputs",
    "make_folds": "api.training",
    "open_run": "workflows.finished",
    "report": "api.giving",
    "tune": "api.training",
    "validate": "api.judging",
    "EnsembleKitError": "core.errors",
    "Estimate": "core.records",
    "Evaluation": "metrics.evaluation",
    "FinishedRun": "workflows.finished",
    "FinishedSearch": "workflows.search",
    "Folds": "core.records",
    "ImageTable": "core.records",
    "Predictions": "core.records",
    "Study": "study",
}

__all__ = [
    "EnsembleKitError",
    "Estimate",
    "Evaluation",
    "FinishedRun",
    "FinishedSearch",
    "Folds",
    "ImageTable",
    "Predictions",
    "Study",
    "__version__",
    "cross_validate",
    "ensemble",
    "evaluate",
    "explain",
    "export",
    "load_images",
    "make_folds",
    "open_run",
    "report",
    "tune",
    "validate",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
