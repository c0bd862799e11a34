"""The study: everything that determines a run's result, and what a search may vary."""

from ensemble_kit.study.data import DataSpec, Section, SplitSpec
from ensemble_kit.study.evaluation import EvaluationSpec
from ensemble_kit.study.model import ModelSpec
from ensemble_kit.study.spec import (
    Study,
    StudySpec,
    TrainingSpec,
    parse_study,
    read_study,
    with_settings,
)

__all__ = [
    "DataSpec",
    "EvaluationSpec",
    "ModelSpec",
    "Section",
    "SplitSpec",
    "Study",
    "StudySpec",
    "TrainingSpec",
    "parse_study",
    "read_study",
    "with_settings",
]
