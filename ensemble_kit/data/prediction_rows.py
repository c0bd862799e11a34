"""Rows of a table of scores turned into probabilities: softmax, rounding, several rows an image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from ensemble_kit.core.errors import PredictionsError, count, some
from ensemble_kit.core.records import Floats, Ints
from ensemble_kit.data.prediction_columns import Scores

ROUNDING = 0.01
"""Distance of a row's sum from 1 that is always taken for rounding."""


@dataclass(frozen=True)
class Asked:
    """How predictions are to be read.

    columns : role -> column. scale : what the numbers are. normalise : whether rows are divided by
    their sums. several : what becomes of several rows an image. slices : columns to slice by, which
    are no classes although they hold numbers.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    scale: Literal["probabilities", "logits"] = "probabilities"
    normalise: bool = False
    several: Literal["refuse", "mean"] = "refuse"
    slices: tuple[str, ...] = ()


def probabilities_of(
    scores: Scores, ids: Sequence[str], asked: Asked, path: Path
) -> tuple[Floats, list[str], list[str]]:
    """Rows that sum to 1, what was done to get them, and what is odd about them."""
    values, names = scores.values, np.asarray(ids)
    if asked.scale == "logits":
        if not np.isfinite(values).all():
            bad = names[~np.isfinite(values).all(axis=1)]
            raise PredictionsError(f"{path}: logits of {some(bad)} are not finite; mend these rows")
        if len(scores.names) > 2 or np.abs(values.sum(axis=1) - 1).max() > 1e-9:
            values = np.exp(values - values.max(axis=1, keepdims=True))
            values = values / values.sum(axis=1, keepdims=True)
        return values, [f"{path.name}: logits turned into probabilities by softmax"], []
    bad_rows = ~np.isfinite(values).all(axis=1) | (values < 0).any(axis=1)
    if bad_rows.any():
        raise PredictionsError(
            f"{path}: {some(names[bad_rows])} have probabilities that are negative or not finite: "
            "each lies in [0, 1]; mend or drop these rows, or give --from logits if they are logits"
        )
    sums = values.sum(axis=1)
    warnings = []
    if bool(np.isin(values, (0.0, 1.0)).all()):
        warnings.append(
            f"{path.name}: every probability is 0 or 1: these are decisions, so curves, AUC, "
            "log loss "
            "and calibration say little"
        )
    elif len(values) > 1 and (np.ptp(values, axis=0) == 0).all():
        warnings.append(f"{path.name}: every image has the same probabilities: it ranks nothing")
    bound = max(ROUNDING, values.shape[1] * 0.5 * 10.0**-scores.decimals)
    far = np.abs(sums - 1) > bound + 1e-9
    if far.any() and not asked.normalise:
        rows = [f"{name} ({total:.4g})" for name, total in zip(names[far], sums[far], strict=True)]
        raise PredictionsError(
            f"{path}: the probabilities of {some(rows)} do not sum to 1 (within {bound:g}): "
            "the class "
            f"columns are {some(scores.names, 20)}; give one probability a class (softmax), or "
            "--normalise for scores, or --from logits for logits"
        )
    off = int((np.abs(sums - 1) > 1e-9).sum())
    if off == 0:
        return values, [], warnings
    if (sums == 0).any():
        raise PredictionsError(
            f"{path}: every score of {some(names[sums == 0])} is 0; drop these rows"
        )
    cause = "--normalise" if far.any() else "rounding"
    done = (
        f"{path.name}: the sums of {count(off, 'row')} are off 1 by at most "
        f"{np.abs(sums - 1).max():.1g} through {cause}; they were renormalised"
    )
    if far.any():
        done = (
            f"{path.name}: the scores of {count(off, 'row')} were divided by their sums "
            "(--normalise)"
        )
    return values / sums[:, None], [done], warnings


def averaged(
    values: Floats, names: Sequence[str], labels: "pd.Series[str] | None", path: Path
) -> tuple[Floats, Ints, str]:
    """Means of the rows of each image, the first row of each, and what was done in a sentence.

    Raises PredictionsError where rows of one image have different labels.
    """
    unique, first, codes = np.unique(np.asarray(names), return_index=True, return_inverse=True)
    if labels is not None:
        text = labels.to_numpy(dtype=np.str_)
        torn = sorted({names[int(k)] for k in np.flatnonzero(text != text[first][codes])})
        if torn:
            raise PredictionsError(f"{path}: rows of {some(torn)} have different labels; mend them")
    order = np.argsort(first, kind="stable")
    sums = np.zeros((len(unique), values.shape[1]))
    np.add.at(sums, codes, values)
    mean = sums / np.bincount(codes)[:, None]
    note = f"{path.name}: {len(names):,} rows averaged to {count(len(unique), 'image')}"
    return mean[order], first[order].astype(np.int64), note
