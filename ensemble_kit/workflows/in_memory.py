"""Predictions given as arrays or pandas objects: aligned by their index, never guessed by place."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ensemble_kit.core.errors import PredictionsError, count, some
from ensemble_kit.core.formulas import check_table
from ensemble_kit.core.records import Floats, Folds, ImageTable, Ints, Predictions


def read_in_memory(
    probabilities: Any, labels: Any, groups: Any, class_names: Sequence[str] | None, folds: Any
) -> tuple[ImageTable, Folds, Predictions]:
    """The three values that an evaluation needs; see :func:`ensemble_kit.evaluate`.

    A Series beside a DataFrame of probabilities is brought into its order by the index, and every
    row must be found in it; only a Series numbered 0, 1, 2 … goes by position. Columns of a
    DataFrame are chosen by name. A missing group is a group of its own. Raises PredictionsError.
    """
    frame = probabilities if isinstance(probabilities, pd.DataFrame) else None
    if frame is not None and class_names is not None:
        frame = _in_columns(frame, class_names)
    values = numbers_of(probabilities if frame is None else frame)
    if values.ndim != 2:
        raise PredictionsError(
            f"probabilities of shape {values.shape}: give (n, C), one row an image, one column a "
            "class"
        )
    names = column_names(values.shape[1], class_names if frame is None else frame.columns)
    index = pd.RangeIndex(len(values)) if frame is None else frame.index
    given = {"labels": labels, "groups": groups, "folds": folds}
    if frame is None:
        _of_one_order({what: column for what, column in given.items() if column is not None})
    ordered = {
        what: _in_order(column, index, what, by_index=frame is not None)
        for what, column in given.items()
        if column is not None
    }
    ids = np.array([str(i) for i in index], np.str_)
    units = ids if groups is None else _groups(ordered["groups"], ids)
    empty = np.full(len(ids), "", np.str_)
    table = ImageTable(
        image_ids=ids, groups=units, labels=_codes(ordered["labels"], names),
        class_names=names, lesions=empty, patients=empty, paths=empty,
    )  # fmt: skip
    check_table(table)
    fold = _folds(ordered["folds"]) if folds is not None else np.zeros(len(ids), np.int64)
    drawn = Folds(ids, units, fold, int(fold.max(initial=0)) + 1)
    return table, drawn, Predictions(ids, names, values)


def numbers_of(given: Any) -> Floats:
    """Probabilities as an array of float64; PredictionsError where they are none."""
    try:
        if not (np.iscomplexobj(given) or np.ma.is_masked(given)):
            return np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        pass  # refused below: words, complex or masked numbers, rows of unequal length
    raise PredictionsError(
        f"probabilities given as a {type(given).__name__} that is no table of numbers: give an "
        "(n, C) array or a DataFrame, one row an image, one column a class"
    )


def column_names(n_classes: int, given: Any) -> tuple[str, ...]:
    """The class names, one a column; numbers from 0 where none are given."""
    given = range(n_classes) if given is None else list(given)
    if blank := [name for name in given if _missing(name) or not str(name).strip()]:
        raise PredictionsError(f"{blank[0]!r} names no class: give every column a name")
    names = tuple(str(name) for name in given)
    if len(names) != n_classes or len(set(names)) != n_classes:
        raise PredictionsError(
            f"class names {some(names)} for {count(n_classes, 'column')}: give one name a column, "
            "each once"
        )
    return names


def _in_columns(frame: pd.DataFrame, class_names: Sequence[str]) -> pd.DataFrame:
    place = {str(name): k for k, name in enumerate(frame.columns)}
    wanted = [str(name) for name in class_names]
    if set(wanted) != set(place) or len(wanted) != len(frame.columns):
        apart = sorted(set(wanted) ^ set(place))
        raise PredictionsError(
            f"class names and the columns of the probabilities differ in {some(apart or wanted)}: "
            "name exactly the columns, in any order, or leave class_names out"
        )
    return frame.iloc[:, [place[name] for name in wanted]]


def _of_one_order(columns: dict[str, Any]) -> None:
    """Beside an array there is nothing to align by, so that all indices must be the same."""
    series = {what: c for what, c in columns.items() if isinstance(c, pd.Series)}
    first = next(iter(series.values()), None)
    for what, column in series.items():
        if first is not None and not column.index.equals(first.index):
            raise PredictionsError(
                f"{' and '.join(series)} have different indices, and the probabilities have none: "
                f"give probabilities as a DataFrame with the index of the {what}"
            )


def _in_order(column: Any, index: pd.Index, what: str, *, by_index: bool) -> list[Any]:
    """The values in the rows' order."""
    if by_index and isinstance(column, pd.Series) and not column.index.equals(index):
        counted = isinstance(column.index, pd.RangeIndex) and len(column) == len(index)
        if not counted or isinstance(index, pd.RangeIndex):
            lost = index.difference(column.index)
            if len(lost) or not column.index.is_unique:
                why = f"lack {some(lost)}" if len(lost) else "list an id more than once"
                raise PredictionsError(
                    f"the {what} {why}: give one for each row of the probabilities, under the same "
                    "index, or without an index (an array in the rows' order)"
                )
            column = column.loc[index]
    if not hasattr(column, "__len__") or isinstance(column, str):
        raise PredictionsError(f"the {what} are {column!r:.60}: give a list or an array, one a row")
    if len(column) != len(index):
        raise PredictionsError(
            f"{len(column):,} {what} for {len(index):,} rows of probabilities: give one a row"
        )
    values = column.tolist() if hasattr(column, "tolist") else column
    return [value.item() if isinstance(value, np.generic) else value for value in values]


def _missing(value: Any) -> bool:
    return value is None or value == "" or bool(value != value)


def _groups(values: list[Any], ids: Any) -> Any:
    """Names of groups; an image without one stands alone."""
    return np.array(
        [f"alone: {i}" if _missing(g) else str(g) for g, i in zip(values, ids, strict=True)],
        np.str_,
    )


def _folds(values: list[Any]) -> Ints:
    """Numbers of folds from 0; numbers below 0 mean that a row is in none."""
    if any(_missing(value) for value in values):
        raise PredictionsError("some folds are missing: give one for each row, -1 for none")
    none = np.array([isinstance(v, (int, float)) and v < 0 for v in values], np.bool_)
    codes = np.full(len(values), -1, np.int64)
    named = np.asarray([v for v, out in zip(values, none, strict=True) if not out])
    codes[~none] = np.unique(named, return_inverse=True)[1]
    return codes


def _codes(labels: list[Any], names: tuple[str, ...]) -> Ints:
    """Class numbers: all labels are names of classes, or else all are numbers of columns."""
    place = {name: code for code, name in enumerate(names)}
    if all(str(label) in place for label in labels):
        return np.array([place[str(label)] for label in labels], dtype=np.int64)
    whole = [
        int(v) for v in labels if isinstance(v, (int, float)) and v == v and float(v).is_integer()
    ]
    if len(whole) == len(labels) and all(0 <= v < len(names) for v in whole):
        return np.array(whole, dtype=np.int64)
    unknown = sorted({str(label) for label in labels if str(label) not in place})
    raise PredictionsError(
        f"label {some(unknown)} is none of the classes {some(names)}: give names of "
        f"classes, or their numbers from 0 to {len(names) - 1}, not both"
    )
