"""An evaluation's curves with matplotlib, for notebooks: axes in (None: new ones), axes out."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ensemble_kit.core.errors import PredictionsError, UsageError, some
from ensemble_kit.core.records import Estimate
from ensemble_kit.metrics.reliability import TOP

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ensemble_kit.metrics.curves import Curve
    from ensemble_kit.metrics.evaluation import Evaluation

FEWEST, BANDS_FOR = 5, 2
"""Images that a bin of a reliability diagram needs to be drawn; ROC curves that get bands."""


def plot_roc(
    evaluation: "Evaluation", classes: Sequence[str] | str | None = None, *, ax: Any = None
) -> "Axes":
    """ROC curves of these classes against the rest (default: all), areas with their intervals.

    One or two curves are drawn with pointwise bands. Raises PredictionsError where a class has
    no curve.
    """
    axes = _axes(ax)
    names = [classes] if isinstance(classes, str) else list(classes or evaluation.class_names)
    found = {name: evaluation.curve("roc", name) for name in names}
    if classes is None:
        found = {name: curve for name, curve in found.items() if curve is not None}
    for name, curve in found.items():
        known = _found(curve, "ROC curve", name, [c for c in evaluation.curves if c.kind == "roc"])
        area = _words(evaluation.find("roc_auc", name))
        (line,) = axes.plot(known.x, known.y, label=f"{name}: AUC {area}" if area else name)
        if len(found) <= BANDS_FOR and known.low is not None and known.high is not None:
            axes.fill_between(known.x, known.low, known.high, color=line.get_color(), alpha=0.15)
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":", linewidth=1)
    axes.set(xlabel="1 − specificity", ylabel="sensitivity", aspect="equal")
    axes.legend(loc="lower right", fontsize="small")
    return axes


def plot_reliability(evaluation: "Evaluation", class_name: str = TOP, *, ax: Any = None) -> "Axes":
    """Observed shares over predicted probabilities, in bins, with their intervals.

    class_name : a class, "malignant", or "top-1" for the likeliest class of each image. Bins of
    fewer than five images are left out. Raises PredictionsError where it has no such curve.
    """
    axes = _axes(ax)
    others = [c for c in evaluation.curves if c.kind == "reliability"]
    curve = evaluation.curve("reliability", class_name)
    curve = _found(curve, "reliability curve", class_name, others)
    assert curve.support is not None
    shown = (curve.support >= FEWEST) & np.isfinite(curve.y)
    error = _words(evaluation.find("ece", "" if class_name == TOP else class_name))
    x, y = curve.x[shown], curve.y[shown]
    (line,) = axes.plot(x, y, "o-", label=f"{class_name}: ECE {error}" if error else class_name)
    if curve.low is not None and curve.high is not None:
        axes.vlines(x, curve.low[shown], curve.high[shown], color=line.get_color(), alpha=0.5)
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":", linewidth=1)
    axes.set(xlabel="predicted probability", ylabel="observed share", aspect="equal")
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.legend(loc="upper left", fontsize="small")
    return axes


def plot_confusion(
    truth: Sequence[str], chosen: Sequence[str], class_names: Sequence[str], *,
    normalize: str | None = None, ax: Any = None,
) -> "Axes":  # fmt: skip
    """Confusion matrix: truth down, decision across. normalize : None for counts; "true", "pred"
    or "all" for shares of a row, of a column, of all images."""
    from sklearn.metrics import ConfusionMatrixDisplay

    axes = _axes(ax)
    ConfusionMatrixDisplay.from_predictions(
        truth, chosen, labels=list(class_names), normalize=normalize, ax=axes, colorbar=False,
        cmap="Blues", xticks_rotation="vertical", values_format=".2f" if normalize else "d",
    )  # fmt: skip
    axes.set(xlabel="decision", ylabel="truth")
    return axes


def _axes(ax: Any) -> "Axes":
    if ax is not None:
        if not hasattr(ax, "plot") or not hasattr(ax, "legend"):
            raise UsageError(f"ax = {ax!r}: give matplotlib axes, or None for new ones")
        axes: Axes = ax
        return axes
    from matplotlib import pyplot

    new: Axes = pyplot.subplots()[1]
    return new


def _found(curve: "Curve | None", what: str, name: str, others: Sequence["Curve"]) -> "Curve":
    if curve is None:
        there = dict.fromkeys(c.class_name for c in others if c.scope == "pooled")
        raise PredictionsError(f"there is no {what} of {name!r}; there are those of {some(there)}")
    return curve


def _words(estimate: Estimate | None) -> str:
    """``0.912 [0.901, 0.922]``."""
    if estimate is None or estimate.value is None:
        return ""
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.3f}"
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"
