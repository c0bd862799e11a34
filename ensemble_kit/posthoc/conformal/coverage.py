"""How often prediction sets hold the truth and how large they are, with group intervals."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ensemble_kit.core.records import Bools, Estimate, Floats, Ints, Strings
from ensemble_kit.metrics.bootstrap import GroupBootstrap, interval

FEWEST_GROUPS = 10


@dataclass(frozen=True)
class Coverage:
    """One row: scope "all", "class" or a metadata column; name of the class or slice."""

    scope: str
    name: str
    n_images: int
    coverage: Estimate
    size: Estimate


def coverage_table(
    sets: Bools,
    labels: Ints,
    groups: Ints,
    class_names: tuple[str, ...],
    draws: GroupBootstrap,
    slices: Mapping[str, Strings] | None = None,
    level: float = 0.95,
) -> tuple[Coverage, ...]:
    """Coverage and mean set size over all, by class and by slice.

    sets : (n, C) membership. groups : (n,) codes in [0, draws.n_groups). slices : column -> (n,)
    values, "" where unknown.
    """
    cells: list[tuple[str, str, Bools]] = [("all", "", np.ones(len(labels), dtype=bool))]
    cells += [("class", name, labels == c) for c, name in enumerate(class_names)]
    for column, values in (slices or {}).items():
        kept = [str(v) for v in np.unique(values) if str(v)]
        cells += [(column, value, values == value) for value in kept]
    hit = sets[np.arange(len(labels)), labels].astype(np.float64)
    size = sets.sum(axis=1).astype(np.float64)
    sums = np.stack(
        [_by_group(np.where(rows, x, 0.0), groups, draws.n_groups) for _, _, rows in cells
         for x in (hit, size, np.ones(len(labels)))], axis=1,
    )  # fmt: skip
    replicates = np.concatenate(
        [_ratios((weights.T @ sums).reshape(-1, len(cells), 3)) for weights in draws.blocks()]
        or [np.empty((0, len(cells), 2))]
    )
    point = _ratios(sums.sum(axis=0).reshape(1, len(cells), 3))[0]
    table = []
    for i, (scope, name, rows) in enumerate(cells):
        n_groups = len(np.unique(groups[rows]))
        pair = [
            _estimate(point[i, j], replicates[:, i, j], n_groups, level, name or "all images")
            for j in (0, 1)
        ]
        table.append(Coverage(scope, name, int(rows.sum()), pair[0], pair[1]))
    return tuple(table)


def _estimate(value: float, drawn: Floats, n_groups: int, level: float, name: str) -> Estimate:
    if n_groups == 0:
        return Estimate(None, level=level, note=f"not estimable: no image of {name}")
    if n_groups < FEWEST_GROUPS:
        note = f"no interval: {name} has {n_groups} groups, fewer than {FEWEST_GROUPS}"
        return Estimate(float(value), level=level, n_groups=n_groups, note=note)
    return interval(value, drawn, level, n_groups=n_groups)


def _by_group(values: Floats, groups: Ints, n_groups: int) -> Floats:
    return np.asarray(np.bincount(groups, values, n_groups), dtype=np.float64)


def _ratios(sums: Floats) -> Floats:
    """(B, cells, 3) hits, sizes, counts -> (B, cells, 2) coverage and mean size, NaN if empty."""
    counts = sums[:, :, 2:]
    nan = np.full_like(sums[:, :, :2], np.nan)
    return np.divide(sums[:, :, :2], counts, out=nan, where=counts > 0)
