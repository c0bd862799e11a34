"""What prediction sets are asked for."""

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from ensemble_kit.posthoc.conformal.nonconformity import Score
from ensemble_kit.posthoc.conformal.quantiles import Unit

SetMethod = Literal["threshold", "cross"]
SET_METHODS: tuple[SetMethod, ...] = ("threshold", "cross")


@dataclass(frozen=True)
class SetSpec:
    """level : the coverage asked for. score : lac, aps or raps. by_class : every class by itself
    (Mondrian) or all together. unit : how rows of a group share its vote. method : "threshold",
    one for each class from the pooled scores, or "cross", p-values pooled over the folds' models.
    """

    level: float = 0.9
    score: Score = "lac"
    by_class: bool = True
    unit: Unit = "weighted"
    seed: int = 0
    method: SetMethod = "threshold"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "SetSpec":
        """From a mapping that may hold more; a spec of before methods were two is a threshold."""
        return cls(**{f.name: values[f.name] for f in fields(cls) if f.name in values})
