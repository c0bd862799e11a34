"""How often prediction sets hold the truth and how large they are, with group intervals.

Coverage by group is the mean over groups of the share of a group's images that are covered: the
chance for a random image of a random group, which is what the thresholds aim at. Coverage by image
is the share of all images; it differs where large groups are harder or easier than small ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ensemble_kit.core.records import Bools, Estimate, Floats, Ints, Strings
from ensemble_kit.metrics.bootstrap import GroupBootstrap, interval
from ensemble_kit.metrics.jackknife import at_an_end, no_width_no_interval

FEWEST_GROUPS = 10
SIZE = 1
"""Place of the mean size among what is estimated of a cell."""


@dataclass(frozen=True)
class Coverage:
    """One row: scope "all", "class" or a metadata column; name of the class or slice.

    coverage : by image. by_group : of a random image of a random group. size : mean, by image.
    """

    scope: str
    name: str
    n_images: int
    coverage: Estimate
    size: Estimate
    by_group: Estimate


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
    columns = []
    for _, _, rows in cells:
        hits, sizes, counts = (
            _by_group(np.where(rows, x, 0.0), groups, draws.n_groups)
            for x in (hit, size, np.ones(len(labels)))
        )
        share = np.divide(hits, counts, out=np.zeros_like(hits), where=counts > 0)
        columns += [hits, sizes, counts, share, (counts > 0).astype(np.float64)]
    sums = np.stack(columns, axis=1)
    replicates = np.concatenate(
        [_ratios((weights.T @ sums).reshape(-1, len(cells), 5)) for weights in draws.blocks()]
        or [np.empty((0, len(cells), 3))]
    )
    point = _ratios(sums.sum(axis=0).reshape(1, len(cells), 5))[0]
    table = []
    for i, (scope, name, rows) in enumerate(cells):
        n_groups = len(np.unique(groups[rows]))
        found = [
            _estimate(
                point[i, j],
                replicates[:, i, j],
                n_groups,
                level,
                name or "all images",
                share=j != SIZE,
            )
            for j in range(3)
        ]
        table.append(Coverage(scope, name, int(rows.sum()), *found))
    return tuple(table)


def _estimate(
    value: float, drawn: Floats, n_groups: int, level: float, name: str, *, share: bool
) -> Estimate:
    """share : whether it is one; at 0 or 1 no resample moves it, and the bound is exact."""
    if n_groups == 0:
        return Estimate(None, level=level, note=f"not estimable: no image of {name}")
    if n_groups < FEWEST_GROUPS:
        note = f"no interval: {name} has {n_groups} groups, fewer than {FEWEST_GROUPS}"
        return Estimate(float(value), level=level, n_groups=n_groups, note=note)
    if share and len(drawn) and value in (0, 1):
        return at_an_end(value, n_groups, level)
    return no_width_no_interval(interval(value, drawn, level, n_groups=n_groups))


def _by_group(values: Floats, groups: Ints, n_groups: int) -> Floats:
    return np.asarray(np.bincount(groups, values, n_groups), dtype=np.float64)


def _ratios(sums: Floats) -> Floats:
    """(B, cells, 5) hits, sizes, counts, shares, groups -> (B, cells, 3): coverage by image, mean
    size, coverage by group; NaN where a cell is empty."""
    above = sums[:, :, [0, 1, 3]]
    below = sums[:, :, [2, 2, 4]]
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)
