"""Operating points: a threshold on a score, fitted by a stated rule.

Fit on some rows and apply to others (through ``crossfit``): a threshold judged on the rows that
chose it is flattered. Youden 1950; cost: Pauker & Kassirer 1980.
"""

import json
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np

from ensemble_kit.core.errors import PredictionsError
from ensemble_kit.core.json_text import parse_json
from ensemble_kit.core.records import Bools, Floats

Kind = Literal["youden", "cost", "sensitivity", "specificity"]


@dataclass(frozen=True)
class Rule:
    """What a threshold is to achieve.

    kind : "youden" (sensitivity + specificity), "cost" (least expected cost of a false negative
        against a false positive, at the rows' prevalence), "sensitivity" or "specificity" (at
        least ``required``, then the best of the other).
    """

    kind: Kind = "youden"
    required: float = 0.9
    false_negative_cost: float = 1.0
    false_positive_cost: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.required <= 1:
            raise PredictionsError(f"a required rate of {self.required} is not in (0, 1]")
        if min(self.false_negative_cost, self.false_positive_cost) < 0:
            raise PredictionsError("a cost of an error cannot be negative")


@dataclass(frozen=True)
class Threshold:
    """Positive where the score reaches ``value``; infinity: never. sensitivity, specificity : on
    the rows it was fitted on (flattered)."""

    value: float
    rule: Rule
    sensitivity: float
    specificity: float

    def apply(self, scores: Floats) -> Bools:
        """(n,) decisions for (n,) scores."""
        return np.asarray(scores >= self.value)

    def to_json(self) -> str:
        values = asdict(self)
        if not np.isfinite(self.value):
            values["value"] = None
        return json.dumps(values)

    @staticmethod
    def from_json(text: str) -> "Threshold":
        values = parse_json(text)
        value = float("inf") if values["value"] is None else float(values["value"])
        rates = float(values["sensitivity"]), float(values["specificity"])
        return Threshold(value, Rule(**values["rule"]), *rates)


@dataclass(frozen=True)
class BothErrors:
    """Counts and rates of decisions: both directions of error."""

    tp: int
    fn: int
    fp: int
    tn: int

    @property
    def sensitivity(self) -> float | None:
        positives = self.tp + self.fn
        return self.tp / positives if positives else None

    @property
    def specificity(self) -> float | None:
        negatives = self.tn + self.fp
        return self.tn / negatives if negatives else None


def fit_threshold(scores: Floats, positive: Bools, rule: Rule) -> Threshold:
    """The threshold among the (n,) scores (and infinity) that best meets the rule.

    Of several equally good ones the highest is taken. Rows of one side only are an error.
    """
    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    if n_positive == 0 or n_negative == 0:
        raise PredictionsError(
            f"a threshold needs both sides: there are {n_positive} positive and {n_negative} "
            "negative rows; fit it on more rows"
        )
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    last = np.append(np.diff(ordered) != 0, True)
    up = np.append(0, np.cumsum(positive[order])[last])
    right = np.append(0, np.cumsum(~positive[order])[last])
    values = np.append(np.inf, ordered[last])
    sensitivity, specificity = up / n_positive, 1 - right / n_negative
    best = int(np.argmax(_merit(rule, sensitivity, specificity, up, right, n_positive)))
    return Threshold(float(values[best]), rule, float(sensitivity[best]), float(specificity[best]))


def both_errors(decisions: Bools, positive: Bools) -> BothErrors:
    """Count (n,) decisions against (n,) truth."""
    return BothErrors(
        int((decisions & positive).sum()),
        int((~decisions & positive).sum()),
        int((decisions & ~positive).sum()),
        int((~decisions & ~positive).sum()),
    )


def _merit(
    rule: Rule, sensitivity: Floats, specificity: Floats, up: Floats, right: Floats, positives: int
) -> Floats:
    if rule.kind == "youden":
        return sensitivity + specificity
    if rule.kind == "cost":
        fn = positives - up
        return -(fn * rule.false_negative_cost + right * rule.false_positive_cost)
    if rule.kind == "sensitivity":
        return np.where(sensitivity >= rule.required - 1e-12, specificity, -1.0)
    return np.where(specificity >= rule.required - 1e-12, sensitivity, -1.0)
