"""``curves.json``: the curves of an evaluation, every array a list, NaN as null."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from pydantic import Field

from ensemble_kit.core.atomic import write_text
from ensemble_kit.core.records import Floats
from ensemble_kit.metrics.curves import Curve
from ensemble_kit.runs.paths import CURVES
from ensemble_kit.runs.records import Part, Record

DECIMALS = 9
Listed = tuple[float | None, ...]


class CurveRecord(Part):
    """One curve; see :class:`ensemble_kit.metrics.curves.Curve`. Numbers to nine decimals."""

    kind: str
    class_name: str = Field(alias="class")
    scope: str
    support: tuple[int, ...] | None
    x: Listed
    y: Listed
    low: Listed | None
    high: Listed | None
    edges: Listed | None

    @classmethod
    def of(cls, curve: Curve) -> Self:
        return cls(
            kind=curve.kind,
            class_name=curve.class_name,
            scope=curve.scope,
            support=None if curve.support is None else tuple(curve.support.tolist()),
            x=_listed(curve.x),
            y=_listed(curve.y),
            low=None if curve.low is None else _listed(curve.low),
            high=None if curve.high is None else _listed(curve.high),
            edges=None if curve.edges is None else _listed(curve.edges),
        )

    @property
    def curve(self) -> Curve:
        support = None if self.support is None else np.array(self.support, dtype=np.int64)
        low, high, edges = (
            None if values is None else _array(values)
            for values in (self.low, self.high, self.edges)
        )
        return Curve(
            self.kind, self.class_name, self.scope, _array(self.x), _array(self.y),
            low, high, support, edges,
        )  # fmt: skip


class CurvesRecord(Record):
    """The contents of ``curves.json``."""

    FILE: ClassVar[str] = CURVES
    REMEDY: ClassVar[str] = "evaluate the run again"

    format_version: int = 1
    curves: tuple[CurveRecord, ...]

    def write(self, folder: Path) -> str:
        """Without indent: a number a line would make the file four times as long."""
        write_text(folder / self.FILE, json.dumps(self.plain(), allow_nan=False) + "\n")
        return self.FILE


def write_curves(folder: Path, curves: Sequence[Curve]) -> str:
    """Write ``curves.json``; its name."""
    return CurvesRecord(curves=tuple(CurveRecord.of(curve) for curve in curves)).write(folder)


def read_curves(folder: Path) -> tuple[Curve, ...]:
    """Read ``curves.json``. Raises RunError where it is missing or damaged."""
    return tuple(record.curve for record in CurvesRecord.read(folder).curves)


def _listed(array: Floats) -> Listed:
    return tuple(round(x, DECIMALS) if np.isfinite(x) else None for x in array.tolist())


def _array(values: Listed) -> Floats:
    return np.array([np.nan if x is None else x for x in values], dtype=np.float64)
