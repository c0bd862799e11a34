"""Reliability before and after calibration."""

from ensemble_kit.reporting.view.base import Number, Table, Value


class Reliability(Value):
    """Observed frequency against mean predicted probability in bins.

    edges : (bins + 1,) bin limits. count : (bins,) images. predicted : (bins,) mean probability.
    observed : (bins,) with intervals; value None where the bin is empty.
    """

    name: str
    edges: tuple[float, ...]
    count: tuple[int, ...]
    predicted: tuple[float | None, ...]
    observed: tuple[Number, ...]
    error: Number


class Calibration(Value):
    """``before`` and ``after``: top-1 first, then one diagram a class. ``after`` empty: no
    calibrator was fitted. ``measures``: rows of (measure, class, before, after)."""

    method: str = ""
    before: tuple[Reliability, ...] = ()
    after: tuple[Reliability, ...] = ()
    measures: tuple["Measure", ...] = ()
    parameters: Table = Table(columns=())


class Measure(Value):
    metric: str
    class_name: str = ""
    before: Number | None = None
    after: Number | None = None
