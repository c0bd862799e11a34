"""Prediction sets of new images by K fold models: one threshold on their mean, or cross-conformal.

    python benchmarks/conformal.py simulated [SETS]        # softmax regressions of grouped rows
    python benchmarks/conformal.py features NPZ [DRAWS]    # features, labels, groups of real images
    python benchmarks/conformal.py members CSV CSV …       # the cross-fitted chain of an ensemble

"threshold": scores of single fold models out of fold, one threshold a class, applied to the mean of
the fold models. "cross": p-values pooled over the fold models. Groups held out judge both; coverage
by group is of a random image of a random group.
"""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

from ensemble_kit.core.records import Bools, Floats, Ints
from ensemble_kit.posthoc.conformal.cross import fit_cross
from ensemble_kit.posthoc.conformal.sets import fit_sets
from ensemble_kit.posthoc.conformal.spec import SET_METHODS, SetSpec
from ensemble_kit.posthoc.crossfit import rows_of
from ensemble_kit.posthoc.selection.fitting import ChainSpec, crossfit_chain
from ensemble_kit.workflows.members import gather

K = 5
DESIGNS = ((40, 3, 10), (40, 3, 60), (150, 3, 10), (150, 3, 60), (1000, 3, 10))
"""Groups, classes, columns: few groups and many columns make fold models unstable."""


def by_folds(
    x: Floats, y: Ints, groups: Ints, new: Floats, n_classes: int, strength: float, seed: int
) -> tuple[Floats, Floats, Ints]:
    """Out-of-fold probabilities (n, C), those of new rows by fold model (K, m, C), folds (n,)."""
    codes = np.unique(groups, return_inverse=True)[1]
    part = np.random.default_rng(seed).permutation(np.arange(codes.max() + 1) % K)
    fold, own = part[codes], np.zeros((len(y), n_classes))
    by_fold = np.zeros((K, len(new), n_classes))
    for k in range(K):
        held = fold == k
        model = LogisticRegression(C=strength, max_iter=300).fit(x[~held], y[~held])
        own[np.ix_(np.flatnonzero(held), model.classes_)] = model.predict_proba(x[held])
        by_fold[k][:, model.classes_] = model.predict_proba(new)
    return own, by_fold, fold


def both(
    own: Floats, by_fold: Floats, y: Ints, groups: Ints, fold: Ints, spec: SetSpec
) -> dict[str, Bools]:
    mean = by_fold.mean(axis=0)
    return {
        "threshold": fit_sets(own, y, groups, spec).sets(mean),
        "cross": fit_cross(own, y, groups, fold, spec).sets(by_fold, mean),
    }


def figures(sets: Bools, y: Ints, groups: Ints) -> tuple[float, ...]:
    """Coverage by image, by group, mean size, and the least coverage by group of a class."""
    hit = sets[np.arange(len(y)), y].astype(float)

    def by_group(rows: Bools) -> float:
        codes = np.unique(groups[rows], return_inverse=True)[1]
        return float((np.bincount(codes, hit[rows]) / np.bincount(codes)).mean())

    least = min(by_group(y == c) for c in np.unique(y))
    return float(hit.mean()), by_group(np.ones(len(y), bool)), float(sets.sum(1).mean()), least


def simulated(draws: int) -> Iterator[tuple[str, dict[str, list[tuple[float, ...]]]]]:
    for n_groups, n_classes, columns in DESIGNS:
        for spec in (SetSpec(), SetSpec(by_class=False), SetSpec(by_class=False, score="aps")):
            found: dict[str, list[tuple[float, ...]]] = {name: [] for name in SET_METHODS}
            for seed in range(draws):
                random = np.random.default_rng(seed)
                size = random.integers(1, 7, n_groups + 1000)
                groups = np.repeat(np.arange(len(size)), size)
                y = random.integers(0, n_classes, len(size))[groups]
                x = random.normal(0, 1, (len(groups), columns))
                x += random.normal(0, 1, (len(size), columns))[groups]
                x[:, :n_classes] += 1.5 * np.eye(n_classes)[y]
                old = groups < n_groups
                own, by_fold, fold = by_folds(
                    x[old], y[old], groups[old], x[~old], n_classes, 1.0, seed
                )
                for name, sets in both(own, by_fold, y[old], groups[old], fold, spec).items():
                    found[name].append(figures(sets, y[~old], groups[~old]))
            scope = "by class" if spec.by_class else "marginal"
            yield f"{n_groups} groups, {columns} columns, {spec.score} {scope}", found


def features(path: str, draws: int) -> Iterator[tuple[str, dict[str, list[tuple[float, ...]]]]]:
    with np.load(path) as kept:
        x, y, groups = (kept[name] for name in ("features", "labels", "groups"))
    n_classes, n_groups = int(y.max()) + 1, int(groups.max()) + 1
    for share in (0.8, 0.2):
        for spec in (SetSpec(), SetSpec(by_class=False), SetSpec(score="aps")):
            found: dict[str, list[tuple[float, ...]]] = {name: [] for name in SET_METHODS}
            for seed in range(draws):
                place = np.random.default_rng(seed).permutation(n_groups)[groups]
                old, new = place < share * n_groups, place >= 0.8 * n_groups
                own, by_fold, fold = by_folds(
                    x[old], y[old], groups[old], x[new], n_classes, 0.02, seed
                )
                for name, sets in both(own, by_fold, y[old], groups[old], fold, spec).items():
                    found[name].append(figures(sets, y[new], groups[new]))
            scope = "by class" if spec.by_class else "marginal"
            yield f"{share:.0%} of {n_groups} groups, {spec.score} {scope}", found


def members(paths: list[str]) -> Iterator[tuple[str, dict[str, list[tuple[float, ...]]]]]:
    gathered = gather([], [Path(p) for p in paths], None, None, False, 0)
    rows = rows_of(gathered.members, gathered.table.labels, gathered.folds)
    for method, calibrator in (("mean", "temperature"), ("stack", "vector"), ("auto", "auto")):
        for spec in (SetSpec(), SetSpec(by_class=False)):
            found: dict[str, list[tuple[float, ...]]] = {}
            for name in SET_METHODS:
                chain = ChainSpec(method, calibrator, sets=replace(spec, method=name))
                found[name] = [figures(crossfit_chain(rows, chain).sets, rows.labels, rows.groups)]
            yield f"{method} + {calibrator}, {'by class' if spec.by_class else 'marginal'}", found


def main() -> None:
    what, *given = sys.argv[1:]
    if what == "simulated":
        tables = simulated(int(given[0]) if given else 200)
    elif what == "features":
        tables = features(given[0], int(given[1]) if given[1:] else 5)
    else:
        tables = members(given)
    print("design | method | by image | by group | size | least class | sets")
    for design, found in tables:
        for name, lines in found.items():
            mean, error = np.mean(lines, axis=0), np.std(lines, axis=0) / np.sqrt(len(lines))
            words = " | ".join(f"{m:.3f} ± {e:.3f}" for m, e in zip(mean, error, strict=True))
            print(f"{design} | {name} | {words} | {len(lines)}", flush=True)


if __name__ == "__main__":
    main()
