"""From probabilities to the action of least expected cost, referral among the actions.

Costs belong to (class, action); with right probabilities, taking the action whose expected cost
Σ_c p_c · cost(c, action) is least is best (Chow 1970 for the referral). Probabilities that were
not calibrated are first, by temperature and class biases fitted to other folds.
"""

from dataclasses import dataclass

import numpy as np

from ensemble_kit.core.records import Floats, Ints
from ensemble_kit.posthoc.calibration.scaling import Scaling, fit_bias
from ensemble_kit.posthoc.crossfit import Rows

REFER = "refer"


@dataclass(frozen=True, eq=False)
class CostTable:
    """costs : (C, A) of taking an action where the truth is a class, in any unit."""

    class_names: tuple[str, ...]
    actions: tuple[str, ...]
    costs: Floats

    def expected(self, probabilities: Floats) -> Floats:
        """(n, A) expected cost of each action."""
        return np.asarray(probabilities @ self.costs)

    def decide(self, probabilities: Floats) -> Ints:
        """(n,) the action of least expected cost; the first of several that tie."""
        return np.asarray(self.expected(probabilities).argmin(axis=1), dtype=np.int64)

    def paid(self, labels: Ints, actions: Ints) -> Floats:
        """(n,) cost of each action taken, by the truth."""
        return np.asarray(self.costs[labels, actions])

    def answers(self) -> Ints | None:
        """(C,) the action that bears each class's name; None where one has no such action."""
        place = {name.lower(): k for k, name in enumerate(self.actions)}
        found = [place.get(name.lower(), -1) for name in self.class_names]
        return None if -1 in found else np.array(found, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Calibrated:
    """A fitted calibrator as a step of cross-fitting: (1, n, C) in, (n, C) out."""

    scaling: Scaling

    def apply(self, members: Floats) -> Floats:
        return np.asarray(self.scaling.apply(members[0]))


def fit_calibrated(rows: Rows) -> Calibrated:
    """Temperature and class biases of the one member of some rows."""
    return Calibrated(fit_bias(rows.members[0], rows.labels, rows.fold))
