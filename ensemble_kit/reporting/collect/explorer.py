"""Counts over thresholds for the explorer, and marked points with intervals."""

from dataclasses import dataclass

import numpy as np

from ensemble_kit.core.records import Bools, Floats, Ints
from ensemble_kit.metrics.bootstrap import GroupBootstrap, GroupJackknife
from ensemble_kit.metrics.estimates import estimate
from ensemble_kit.metrics.jackknife import BLOCKS, rare_first
from ensemble_kit.metrics.support import support_of
from ensemble_kit.reporting.collect.numbers import number_of, rounded
from ensemble_kit.reporting.collect.source import ReportedRun
from ensemble_kit.reporting.view.base import Number
from ensemble_kit.reporting.view.explorer import Explorer, MarkedPoint, Target

RULES = (
    ("0.5", "probability at least one half"),
    ("Youden", "largest sensitivity + specificity − 1"),
    ("sens ≥ 90 %", "highest threshold with sensitivity of at least 90 %"),
    ("sens ≥ 95 %", "highest threshold with sensitivity of at least 95 %"),
    ("spec ≥ 95 %", "lowest threshold with specificity of at least 95 %"),
)


def threshold_grid() -> Floats:
    """Thousandths, and ten-thousandths within a hundredth of either end."""
    fine = np.arange(0, 100) / 10_000
    return np.unique(
        np.concatenate([fine, np.arange(10, 990) / 1000, np.arange(9900, 10_001) / 10_000])
    )


@dataclass(frozen=True, eq=False)
class Scored:
    """One target: (n,) scores, whether positive, and the bin of each score on the grid."""

    name: str
    kind: str
    positive: Bools
    bins: Ints
    hits: Ints
    alarms: Ints

    def marks(self) -> list[tuple[str, str, int]]:
        """Name, rule and place on the grid of the marked points that exist."""
        grid = threshold_grid()
        sensitivity = self.hits / self.hits[0]
        specificity = 1 - self.alarms / self.alarms[0]
        places = {
            "0.5": int(np.searchsorted(grid, 0.5)),
            "Youden": int(np.argmax(sensitivity + specificity)),
            "sens ≥ 90 %": _last(sensitivity >= 0.90),
            "sens ≥ 95 %": _last(sensitivity >= 0.95),
            "spec ≥ 95 %": _first(specificity >= 0.95),
        }
        return [(name, rule, places[name]) for name, rule in RULES if places[name] >= 0]


def build_explorer(source: ReportedRun) -> Explorer:
    targets = [_score(*parts) for parts in _targets(source)]
    targets = [t for t in targets if t.hits[0] and t.alarms[0]]
    grid = threshold_grid()
    cases, draws = source.cases, source.draws
    drawn = _replicates(source, targets, draws)
    left = _replicates(source, targets, GroupJackknife(cases.n_groups, BLOCKS, rare_first(cases)))
    return Explorer(
        thresholds=tuple(float(t) for t in grid),
        targets=tuple(
            Target(
                name=target.name,
                kind=target.kind,
                positive=_counts(target, target.positive),
                negative=_counts(target, ~target.positive),
                points=_points(source, target, own, without),
            )
            for target, own, without in zip(targets, drawn, left, strict=True)
        ),
    )


def _targets(source: ReportedRun) -> list[tuple[str, str, Floats, Bools]]:
    cases = source.cases
    found = [
        (name, "class", cases.probabilities[:, code], cases.labels == code)
        for code, name in enumerate(source.class_names)
    ]
    if cases.has_malignant_view:
        score = cases.probabilities[:, cases.malignant].sum(axis=1)
        found.insert(0, (cases.view_name, cases.view_name, score, cases.malignant[cases.labels]))
    return found


def _score(name: str, kind: str, scores: Floats, positive: Bools) -> Scored:
    grid = threshold_grid()
    bins = np.searchsorted(grid, scores, side="right") - 1
    tails = [
        np.cumsum(np.bincount(bins[side], minlength=len(grid))[::-1])[::-1]
        for side in (positive, ~positive)
    ]
    return Scored(name, kind, positive, bins, tails[0], tails[1])


def _counts(target: Scored, side: Bools) -> tuple[int, ...]:
    counts = np.bincount(target.bins[side], minlength=len(threshold_grid()))
    return tuple(int(n) for n in counts)


def _replicates(
    source: ReportedRun, targets: list[Scored], draws: GroupBootstrap | GroupJackknife
) -> list[Floats]:
    """For each target (2, points, R): sensitivity and specificity under every draw of groups, or
    without each."""
    cases, found = source.cases, []
    matrices = []
    for target in targets:
        places = np.array(sorted({place for _, _, place in target.marks()}), dtype=np.int64)
        segment = np.searchsorted(places, target.bins, side="right")
        n = len(places) + 1
        cells = segment + n * (~target.positive)
        matrices.append((cases.sums(cells.astype(np.int64), 2 * n), n))
        found.append(np.empty((2, n - 1, draws.n_replicates)))
    first = 0
    for weights in map(draws.chunk, range(draws.n_chunks)):
        width = weights.shape[1]
        for (matrix, n), out in zip(matrices, found, strict=True):
            sums = (matrix @ weights).reshape(2, n, width)
            above = sums[:, ::-1].cumsum(axis=1)[:, ::-1]
            with np.errstate(invalid="ignore", divide="ignore"):
                share = above[:, 1:] / above[:, :1]
            out[0, :, first : first + width] = share[0]
            out[1, :, first : first + width] = 1 - share[1]
        first += width
    return found


def _points(
    source: ReportedRun, target: Scored, drawn: Floats, left: Floats
) -> tuple[MarkedPoint, ...]:
    grid = threshold_grid()
    places = sorted({place for _, _, place in target.marks()})
    points = []
    for name, rule, place in target.marks():
        own, without = drawn[:, places.index(place)], left[:, places.index(place)]
        finite = own[:, np.isfinite(own).all(axis=0)]
        sensitivity = float(target.hits[place] / target.hits[0])
        specificity = float(1 - target.alarms[place] / target.alarms[0])
        enough = finite.shape[1] > 1
        spread = np.cov(finite) if enough else np.zeros((2, 2))
        points.append(
            MarkedPoint(
                name=name,
                rule=rule,
                threshold=float(grid[place]),
                sensitivity=_estimated(source, target, "recall", sensitivity, without[0]),
                specificity=_estimated(source, target, "specificity", specificity, without[1]),
                odds_positive=_odds(source, finite[0], 1 - finite[1]),
                odds_negative=_odds(source, 1 - finite[0], finite[1]),
                spread=tuple(
                    rounded(float(v)) or 0.0 for v in (spread[0, 0], spread[1, 1], spread[0, 1])
                ),
            )
        )
    return tuple(points)


def _estimated(
    source: ReportedRun, target: Scored, metric: str, value: float, left: Floats
) -> Number:
    """The interval that the tables give the same figure."""
    if source.draws.n_replicates == 0:
        left = np.empty(0)
    key = (metric, target.name)
    support = support_of(key, source.cases)
    return number_of(estimate(key, value, None, left, support, source.spec.level, "auto"))


def _odds(source: ReportedRun, over: Floats, under: Floats) -> tuple[float | None, float | None]:
    """Percentile interval of a likelihood ratio; None where it is unbounded or unknown."""
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = over / under
    ratio = ratio[~np.isnan(ratio)]
    if len(ratio) < 2:
        return None, None
    tail = (1 - source.spec.level) / 2
    low, high = np.quantile(ratio, [tail, 1 - tail], method="inverted_cdf")
    return rounded(float(low)), rounded(float(high))


def _first(where: Bools) -> int:
    return int(np.argmax(where)) if where.any() else -1


def _last(where: Bools) -> int:
    return int(len(where) - 1 - np.argmax(where[::-1])) if where.any() else -1
