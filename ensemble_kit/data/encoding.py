"""Metadata as numbers: encoders fitted on training rows alone, kept as plain JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ensemble_kit.core.errors import DataError, some
from ensemble_kit.core.records import Bools, Floats, ImageTable, Strings
from ensemble_kit.data.columns import ALIASES

FEW_NUMBERS = 10
"""A column of numbers with no more different values than this is one of categories."""


@dataclass(frozen=True)
class ColumnEncoder:
    """One column. values : its categories in training, sorted; () for a column of numbers, which is
    brought to mean 0 and deviation 1 (mean, scale). rest : code of a missing value, and of one that
    training never had: that of missing in training, or, where none was missing, the mean of the
    training rows. () in encoders written before there was a rest: all zeros."""

    name: str
    values: tuple[str, ...] = ()
    mean: float = 0.0
    scale: float = 1.0
    rest: tuple[float, ...] = ()

    @property
    def width(self) -> int:
        """Columns of its code."""
        return len(self.values) + 1 if self.values else 3

    def encode(self, column: Strings) -> Floats:
        """(n, k): numbers as z and z² (0 where missing) and whether missing; categories as one
        indicator each and one for missing. What training never had is coded as ``rest``."""
        if self.values:
            x = np.column_stack([column == value for value in (*self.values, "")]).astype(float)
            other = ~x[:, :-1].any(axis=1)
        else:
            numbers = _numbers_or_nan(column)
            other = np.isnan(numbers)
            z = np.clip(np.where(other, 0.0, (numbers - self.mean) / self.scale), -10, 10)
            x = np.column_stack([z, z**2, other]).astype(np.float64)
        if self.rest:
            x[other] = self.rest
        return np.asarray(x, np.float64)

    def unseen(self, column: Strings) -> list[str]:
        """Values that training never had: treated as unknown."""
        known = {"", *self.values}
        if self.values:
            return sorted(set(column.tolist()) - known)
        numbers = _numbers_or_nan(column)
        return sorted(set(column[np.isnan(numbers) & (column != "")].tolist()))

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "values": list(self.values), "mean": self.mean,
                "scale": self.scale, "rest": list(self.rest)}  # fmt: skip

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> "ColumnEncoder":
        return ColumnEncoder(
            str(values["name"]), tuple(map(str, values["values"])), float(values["mean"]),
            float(values["scale"]), tuple(map(float, values.get("rest", ()))),
        )  # fmt: skip


def fit_encoder(name: str, column: Strings) -> ColumnEncoder:
    """The encoder of a column (m,) str, ``""`` where missing, from training rows alone."""
    known = column[column != ""]
    distinct = np.unique(known)
    numbers = _numbers_or_nan(known)
    if len(distinct) > FEW_NUMBERS and np.isfinite(numbers).all():
        bare = ColumnEncoder(name, (), float(numbers.mean()), float(numbers.std()) or 1.0)
    else:
        bare = ColumnEncoder(name, tuple(distinct.tolist()))
    coded = bare.encode(column if len(known) == len(column) else np.array([""]))
    return replace(bare, rest=tuple(coded.mean(axis=0).tolist()))


def encode(encoders: Sequence[ColumnEncoder], columns: Mapping[str, Strings]) -> Floats:
    """(n, F) the encoded columns side by side."""
    return np.hstack([encoder.encode(columns[encoder.name]) for encoder in encoders])


def metadata_columns(table: ImageTable, names: Sequence[str]) -> dict[str, Strings]:
    """The columns asked for, by their names in the table. Raises DataError.

    A usual name of age, sex or site (``localization``) means that column.
    """
    found: dict[str, Strings] = {}
    for asked in names:
        role = next((role for role, aliases in ALIASES.items() if asked in aliases), asked)
        name = asked if asked in table.slices else role
        if name not in table.slices:
            there = some(sorted(table.slices)) or "none"
            raise DataError(
                f"metadata {asked!r}: the data has no such column; it has {there}; name one of "
                "those, or say which column it is with --columns"
            )
        if name in found:
            raise DataError(f"metadata {asked!r} is named twice; name each column once")
        if len(np.unique(table.slices[name])) < 2:
            raise DataError(
                f"metadata {asked!r} has one value in every row: a constant column says nothing; "
                "leave it out"
            )
        found[name] = table.slices[name]
    return found


def is_number(column: Strings) -> Bools:
    """(n,) whether each text is a finite number."""
    return np.isfinite(_numbers_or_nan(column))


def _numbers_or_nan(column: Strings) -> Floats:
    values, place = np.unique(column, return_inverse=True)
    return np.array([_number(value) for value in values.tolist()], np.float64)[place]


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return float("nan")
    return value if np.isfinite(value) else float("nan")
