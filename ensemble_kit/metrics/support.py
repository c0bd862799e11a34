"""How many groups a figure rests on, and when it is not estimable."""

from dataclasses import dataclass

import numpy as np

from ensemble_kit.core.errors import count, some
from ensemble_kit.core.records import Bools
from ensemble_kit.metrics.cases import Cases, Key
from ensemble_kit.metrics.registry import metric_of

MIN_GROUPS = 2
MIN_GROUPS_INTERVAL = 5


@dataclass(frozen=True)
class Support:
    """Groups of the side that limits a figure, and what that side is, in words."""

    n_groups: int
    side: str

    @property
    def estimable(self) -> bool:
        return self.n_groups >= MIN_GROUPS

    @property
    def has_interval(self) -> bool:
        return self.n_groups >= MIN_GROUPS_INTERVAL

    @property
    def reason(self) -> str:
        """Why there is no value, or no interval; "" when there is both."""
        if not self.estimable:
            needed = f"at least {MIN_GROUPS} are needed"
            return f"not estimable: {count(self.n_groups, 'group')} {self.side}, {needed}"
        if not self.has_interval:
            needed = f"at least {MIN_GROUPS_INTERVAL} are needed"
            return f"no interval: {count(self.n_groups, 'group')} {self.side}, {needed}"
        return ""


def support_of(key: Key, cases: Cases) -> Support:
    """What the figure (metric, class) of these cases rests on."""
    metric, name = key
    known = metric_of(metric)
    rests_on = known.rests_on if known else "all"
    if rests_on == "every class":
        return _every_class(cases)
    if not name or name not in cases.groups_with:
        return Support(cases.n_groups_here, "in all")
    positive, negative = cases.groups_with[name]
    others = f"with images other than {name}"
    if rests_on == "both sides":
        if positive <= negative:
            return Support(positive, f"with {name}")
        return Support(negative, others)
    if rests_on == "positives":
        return Support(positive, f"with {name}")
    if rests_on == "negatives":
        return Support(negative, others)
    if rests_on in ("called", "not called"):
        chosen = _chosen(cases, name)
        rows = chosen if rests_on == "called" else ~chosen
        said = f"with images called {name}" if rests_on == "called" else f"not called {name}"
        return Support(len(np.unique(cases.groups[rows])), said)
    return Support(cases.n_groups_here, "in all")


def _every_class(cases: Cases) -> Support:
    """The rarest class; the names of all that have too few."""
    sides = {name: min(cases.groups_with[name]) for name in cases.class_names}
    least = min(sides.values())
    rare = [name for name, number in sides.items() if number == least]
    return Support(least, f"with {some(rare)}")


def _chosen(cases: Cases, name: str) -> Bools:
    if name == cases.view_name and name not in cases.class_names:
        return np.asarray(cases.probabilities[:, cases.malignant].sum(axis=1) >= 0.5)
    return np.asarray(cases.predicted == cases.class_names.index(name))
