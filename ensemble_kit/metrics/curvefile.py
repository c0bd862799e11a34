"""``curves.json``: the curves of an evaluation, every array a list, NaN as null."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from ensemble_kit.core.errors import RunError
from ensemble_kit.core.records import Floats
from ensemble_kit.metrics.curves import Curve

FORMAT_VERSION = 1
ARRAYS = ("x", "y", "low", "high", "edges")
DECIMALS = 9


def curves_json(curves: tuple[Curve, ...]) -> str:
    """The curves as JSON text; numbers to nine decimals."""
    values = [_plain(curve) for curve in curves]
    return json.dumps({"format_version": FORMAT_VERSION, "curves": values}, allow_nan=False) + "\n"


def read_curves(path: Path) -> tuple[Curve, ...]:
    """Read curves as written by :func:`curves_json`."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["format_version"] != FORMAT_VERSION:
            raise RunError(
                f"{path}: format version {document['format_version']!r}, but this program reads "
                f"{FORMAT_VERSION}; evaluate the run again"
            )
        return tuple(_curve(values) for values in document["curves"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path}: cannot be read ({error}); evaluate the run again") from None


def _plain(curve: Curve) -> dict[str, Any]:
    values: dict[str, Any] = {
        "kind": curve.kind,
        "class": curve.class_name,
        "scope": curve.scope,
        "support": None if curve.support is None else curve.support.tolist(),
    }
    return values | {name: _listed(getattr(curve, name)) for name in ARRAYS}


def _listed(array: Floats | None) -> list[float | None] | None:
    if array is None:
        return None
    return [round(x, DECIMALS) if np.isfinite(x) else None for x in array.tolist()]


def _curve(values: dict[str, Any]) -> Curve:
    arrays = {name: _array(values[name]) for name in ARRAYS}
    x, y = arrays["x"], arrays["y"]
    if x is None or y is None:
        raise ValueError("a curve without x or y")
    support = None if values["support"] is None else np.array(values["support"], dtype=np.int64)
    return Curve(
        values["kind"], values["class"], values["scope"], x, y,
        arrays["low"], arrays["high"], support, arrays["edges"],
    )  # fmt: skip


def _array(values: list[float | None] | None) -> Floats | None:
    if values is None:
        return None
    return np.array([np.nan if x is None else x for x in values], dtype=np.float64)
