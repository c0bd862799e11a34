"""Coverage of the bands of a ROC curve by simulation: whole curves, and point by point.

    python benchmarks/roc_bands.py [--sets 500] [--replicates 400] [--designs NAME ...]

Designs and populations are those of benchmarks/coverage.py; the curve is that of the rarest class,
at false positive rates 0.01 to 0.99. "percentile" is the pointwise percentile bootstrap, whose
bounds say 1 where all resamples agree.
"""

import argparse
from collections import defaultdict

import numpy as np
from coverage import DESIGNS, Design, draw

from ensemble_kit.core.records import Bools, Floats
from ensemble_kit.metrics.bootstrap import GroupBootstrap
from ensemble_kit.metrics.cases import Cases
from ensemble_kit.metrics.curves import make_curves, pointwise_band
from ensemble_kit.metrics.ranking import RankingFigures

RARE, INSIDE = ("roc", "c"), slice(1, -1)


def roc(cases: Cases, weights: Floats) -> Floats:
    """(101, B) ROC curve of the rarest class."""
    return RankingFigures(cases, pairs=False, micro=False)(weights, curves=True)[1][RARE]


def truth(design: Design, groups: int) -> Floats:
    """Mean over eight populations."""
    drawn = (draw(np.random.default_rng(s), design, groups, False) for s in range(1, 9))
    found = [roc(cases, np.ones((cases.n_groups, 1)))[:, 0] for cases in drawn]
    return np.asarray(np.mean(found, axis=0))


def simulate(design: Design, sets: int, replicates: int) -> None:
    goal = truth(design, 4_000 if design.patients else 20_000)[INSIDE]
    held: dict[str, list[Bools]] = defaultdict(list)
    widths: dict[str, list[float]] = defaultdict(list)
    for number in range(sets):
        cases = draw(np.random.default_rng([0, number]), design, design.groups, False)
        n = cases.n_groups
        weights = np.concatenate(list(GroupBootstrap(n, replicates, number).blocks()), axis=1)
        drawn = roc(cases, weights)
        drawn = drawn[:, np.isfinite(drawn).all(axis=0)]
        point = {RARE: roc(cases, np.ones((n, 1)))}
        curves = make_curves("pooled", cases, point, {RARE: drawn}, 0.95)
        bands = {curve.kind: (curve.low, curve.high) for curve in curves}
        bands["percentile"] = pointwise_band(drawn, 0.95)
        for name, (low, high) in bands.items():
            if low is None or high is None:
                continue
            held[name].append((low[INSIDE] <= goal + 1e-9) & (goal <= high[INSIDE] + 1e-9))
            widths[name].append(float((high - low)[INSIDE].mean()))
    for name, found in held.items():
        each = np.array(found)
        print(
            f"{design.name} | {name} | whole {each.all(axis=1).mean():.3f} | pointwise, mean "
            f"{each.mean():.3f}, least {each.mean(axis=0).min():.3f} at "
            f"{(each.mean(axis=0).argmin() + 1) / 100:.2f} | width {np.mean(widths[name]):.3f} | "
            f"{len(each)}", flush=True,
        )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sets", type=int, default=500)
    parser.add_argument("--replicates", type=int, default=400)
    parser.add_argument("--designs", nargs="*", default=[d.name for d in DESIGNS])
    asked = parser.parse_args()
    for design in DESIGNS:
        if any(design.name.startswith(name) for name in asked.designs):
            simulate(design, asked.sets, asked.replicates)


if __name__ == "__main__":
    main()
