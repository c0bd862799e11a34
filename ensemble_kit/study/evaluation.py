"""How predictions are judged: a section of the study."""

from pydantic import Field

from ensemble_kit.study.data import Section
from ensemble_kit.study.vocabulary import read_vocabulary


class EvaluationSpec(Section):
    malignant: tuple[str, ...] = Field(
        default_factory=lambda: read_vocabulary().malignant,
        description="classes of the malignant-versus-benign view; default: the vocabulary's",
    )
    replicates: int = Field(2000, ge=0, le=100_000, description="bootstrap replicates")
    level: float = Field(0.95, gt=0.5, le=0.9999, description="coverage of the intervals")
    slices: tuple[str, ...] = Field((), description="further metadata columns to slice by")
