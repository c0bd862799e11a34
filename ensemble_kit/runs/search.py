"""``tuning.json``: the search that chose a study."""

from pathlib import Path
from typing import Any, ClassVar

from ensemble_kit.core.atomic import write_bytes
from ensemble_kit.runs.paths import TUNING
from ensemble_kit.runs.records import Part, Record
from ensemble_kit.study.space import Scalar


class Trial(Part):
    """One trial. state : upper case. value : its score so far, None before the first. params :
    setting -> value. pruned_after : folds or epochs. cost : relative, of inference. failure : why
    it failed, in a sentence."""

    number: int
    state: str
    value: float | None
    params: dict[str, Scalar]
    pruned_after: int | None = None
    seconds: float | None = None
    cost: float | None = None
    failure: str = ""


class Optimism(Part):
    """Inner minus outer score of the nested search, with its interval."""

    value: float | None
    low: float | None = None
    high: float | None = None
    note: str = ""


class Gain(Part):
    """Searched minus own study of the nested search, paired by group."""

    value: float | None
    low: float | None
    high: float | None
    level: float


class InnerChoice(Part):
    """What the search inside one outer training part chose."""

    outer_fold: int
    value: float | None
    params: dict[str, Scalar]


class NestedRecord(Part):
    """The nested estimate; scores are those of ``metric``."""

    metric: str
    score: float
    default_score: float
    inner_score: float
    gain: Gain
    chosen: tuple[InnerChoice, ...]


class TuningRecord(Record):
    """The contents of ``tuning.json``. space : setting -> its range or choices, as in a study.
    best, front : numbers of trials. importance : setting -> share of the scores' variance."""

    FILE: ClassVar[str] = TUNING
    REMEDY: ClassVar[str] = "give `tune` again"

    format_version: int = 1
    name: str
    metric: str
    direction: str
    sampler: str
    pruner: str
    space: dict[str, Any]
    trials: tuple[Trial, ...]
    best: int
    front: tuple[int, ...]
    importance: dict[str, float]
    optimism: Optimism | None
    nested: NestedRecord | None
    note: str
    min_gain: float = -1.0


def copy_tuning(record: Path, run_folder: Path) -> str | None:
    """Copy the record of a search's folder into a run folder; its name, None where there is none.

    Raises RunError where it is damaged.
    """
    if TuningRecord.find(record) is None:
        return None
    write_bytes(run_folder / TUNING, (record / TUNING).read_bytes())
    return TUNING
