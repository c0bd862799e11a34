"""Which columns of a table of predictions are classes; nothing else ever becomes one in silence."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ensemble_kit.core.errors import PredictionsError, count, some
from ensemble_kit.core.records import Floats

MOST_CLASSES, FEW_CLASSES = 2000, 100
PREFIXES = ("probability_", "prob_", "logit_", "pred_", "score_", "p_")
SCORES = ("target", "pred", "prob", "score", "probability", "y_score", "y_pred", "prediction",
          "predictions", "preds", "probs", "output", "p", "y_prob", "malignant_score")  # fmt: skip
FOREIGN = frozenset(
    {
        "fold", "group", "score_weight", "validation_weight", "predicted", "loss", "epoch", "step",
        "index", "idx", "row", "seed", "repeat", "view", "tta", "time", "seconds", "confidence",
        "entropy", "uncertainty", "max_prob", "weight", "batch", "rank", "level_0", "unnamed:_0",
        "correct", "margin", "variance", "std", "predicted_label", "predicted_class",
    }
)  # fmt: skip
"""Columns of numbers that are never classes unless the labels say so."""
BINARY = (("0", "1"), ("benign", "malignant"), ("false", "true"), ("negative", "positive"),
          ("no", "yes"), ("normal", "abnormal"), ("healthy", "diseased"))  # fmt: skip


def negative_first(names: Sequence[str]) -> tuple[str, str] | None:
    """Two class names whose words say which is the negative (0), as (negative, positive)."""
    if len(names) != 2:
        return None
    spelled = {name.casefold(): name for name in names}
    for negative, positive in BINARY:
        if set(spelled) == {negative, positive}:
            return spelled[negative], spelled[positive]
    return None


@dataclass(frozen=True, eq=False)
class Scores:
    """names : C class names. values : (n, C) as in the file (a binary score is two columns).
    decimals : of its most exact number. notes : what was left out or supposed."""

    names: tuple[str, ...]
    values: Floats
    decimals: int
    notes: tuple[str, ...] = ()


def class_scores(
    frame: pd.DataFrame,
    candidates: Sequence[str],
    truth: Sequence[str],
    rows: Sequence[str],
    source: str,
    logits: bool = False,
) -> Scores:
    """Choose the class columns among the columns of numbers.

    truth : names of the labels, where they are known (their columns are the classes); rows : ids,
    for errors. Without labels every column of numbers is a class. Raises PredictionsError.
    """
    bare = without_prefix(candidates, truth)
    wanted = {name.lower() for name in truth}
    matching = [c for c in candidates if bare[c].lower() in wanted]
    usual = [c for c in candidates if c in matching or c.lower() not in FOREIGN]
    single = _single(usual, matching, truth)
    if single:
        return _binary(frame, single, bare[single], truth, rows, source, logits)
    if len(usual) < 2:
        raise PredictionsError(
            f"{source}: needs a column of probabilities for each of at least two classes; it has "
            f"{some(frame.columns)} (a single score of two classes is called "
            f"{some(SCORES[:4])}, and needs labels)"
        )
    _check_number(len(matching) or len(usual), len(rows), source)
    table = {c: _numbers(frame, c, rows, source) for c in usual}
    notes = []
    foreign = [c for c in candidates if c not in usual]
    chosen = usual
    if matching and len(matching) < len(usual):
        chosen, more = _without_strangers(table, usual, matching, logits)
        foreign += more
    if foreign:
        notes.append(f"columns {some(foreign)} are no classes of the labels: left out")
    _check_number(len(chosen), len(rows), source)
    values = np.column_stack([table[c] for c in chosen])
    if len(chosen) < 2:
        raise PredictionsError(
            f"{source}: only {some(chosen)} is a class of the labels ({some(truth, 20)}): give a "
            "column of probabilities for each class"
        )
    texts = frame[list(chosen)]
    return Scores(tuple(bare[c] for c in chosen), values, _decimals(texts), tuple(notes))


def _check_number(classes: int, rows: int, source: str) -> None:
    """More classes than can be judged are columns of something else, or a table on its side."""
    if classes > MOST_CLASSES or classes > max(FEW_CLASSES, rows):
        raise PredictionsError(
            f"{source}: {classes:,} class columns for {count(rows, 'row')}; at most "
            f"{MOST_CLASSES:,} classes are judged, and beyond {FEW_CLASSES} no more than there are "
            "rows: one row an image, one column a class"
        )


def _single(usual: Sequence[str], matching: Sequence[str], truth: Sequence[str]) -> str:
    """The one column of a binary score, else ""."""
    if len(usual) == 1 and len(truth) == 2:
        return usual[0]
    if len(matching) < 2 and len(truth) == 2:
        scores = [c for c in usual if c.lower() in SCORES or c in matching]
        return scores[0] if len(scores) == 1 else ""
    return ""


def _binary(
    frame: pd.DataFrame, column: str, bare: str, truth: Sequence[str], rows: Sequence[str],
    source: str, logits: bool,
) -> Scores:  # fmt: skip
    positive = _positive(bare, truth)
    if not positive:
        raise PredictionsError(
            f"{source}: column {column!r} is the score of one of {some(truth)}, but of which "
            "is not "
            "known: call the column by that class"
        )
    p = _numbers(frame, column, rows, source)
    negative = next(name for name in truth if name != positive)
    if logits:
        p = np.where(p >= 0, 1 / (1 + np.exp(-np.abs(p))), 1 - 1 / (1 + np.exp(-np.abs(p))))
    outside = (p < 0) | (p > 1)
    if outside.any():
        bad = [f"{rows[int(k)]} ({p[k]:g})" for k in np.flatnonzero(outside)]
        raise PredictionsError(
            f"{source}: {column} of {some(bad)} is not in [0, 1]: give probabilities, or --from "
            "logits for logits"
        )
    note = f"{column} is the probability of {positive}, the rest that of {negative}"
    return Scores((negative, positive), np.column_stack([1 - p, p]), 17, (note,))


def _positive(column: str, truth: Sequence[str]) -> str:
    lower = {name.lower(): name for name in truth}
    if column.lower() in lower:
        return lower[column.lower()]
    for pair in BINARY:
        if set(lower) == set(pair):
            return lower[pair[1]]
    return ""


def _without_strangers(
    table: dict[str, Floats], usual: Sequence[str], matching: Sequence[str], logits: bool
) -> tuple[list[str], list[str]]:
    """Keep the columns that are no label's only where the rows sum to 1 with them alone."""
    strangers = [c for c in usual if c not in matching]
    idle = [c for c in strangers if not np.any(table[c])]
    rest = [c for c in usual if c not in idle]
    ours = np.abs(sum(table[c] for c in matching) - 1)
    both = np.abs(sum(table[c] for c in rest) - 1)
    if len(matching) >= 2 and (logits or np.nanmax(ours) <= 0.02 or np.nanmax(both) > 0.02):
        return list(matching), strangers
    return rest, idle


def without_prefix(columns: Sequence[str], truth: Sequence[str]) -> dict[str, str]:
    """Class names without a prefix that all share (``prob_mel`` → ``mel``), or that makes
    labels of them."""
    names = {name.lower() for name in truth}
    for prefix in PREFIXES:
        having = [c for c in columns if c.lower().startswith(prefix) and len(c) > len(prefix)]
        made = {c: c[len(prefix) :] for c in having}
        fits = [c for c in having if made[c].lower() in names]
        if having and (len(having) == len(columns) or len(fits) >= 2):
            return {c: made.get(c, c) for c in columns}
    return {c: c for c in columns}


def _numbers(frame: pd.DataFrame, column: str, rows: Sequence[str], source: str) -> Floats:
    try:
        return np.asarray(frame[column].to_numpy(dtype=object), dtype=np.float64)
    except ValueError:
        wrong = pd.to_numeric(frame[column], errors="coerce").isna().to_numpy()
        names = np.asarray(rows)[wrong]
        raise PredictionsError(
            f"{source}: column {column!r} is not a number for {some(names)}: every class "
            "column holds probabilities; mend or drop these rows"
        ) from None


def _decimals(texts: pd.DataFrame) -> int:
    """Digits after the point of the most exact number; many where exponents are used."""
    most = 0
    for name in texts.columns:
        column = texts[name]
        if column.str.contains("e", case=False, regex=False).any():
            return 17
        tails = column.str.extract(re.compile(r"\.(\d+)$"))[0].fillna("").str.len()
        most = max(most, int(tails.max()))
    return most
