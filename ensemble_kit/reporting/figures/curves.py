"""ROC, precision–recall and decision curves."""

from ensemble_kit.core.numbers import number_text
from ensemble_kit.reporting.figures.axes import Plot, nice_ticks, unit_ticks
from ensemble_kit.reporting.figures.svg import drawing, text
from ensemble_kit.reporting.view.base import Number
from ensemble_kit.reporting.view.performance import NetBenefit, RankingCurve, Risk


def interval_words(number: Number, digits: int = 3) -> str:
    """``0.912 (0.901 to 0.922)``, or why there is no number."""
    if number.value is None:
        return f"not estimable{': ' + number.note if number.note else ''}"
    words = number_text(number.value, digits)
    if number.low is None or number.high is None:
        return words
    return f"{words} ({number_text(number.low, digits)} to {number_text(number.high, digits)})"


def roc_panel(curve: RankingCurve, colour: str) -> str:
    """One class's ROC curve: band, fold curves, pooled curve, chance line."""
    label = f"ROC curve of {curve.name}: area {interval_words(curve.area)}"
    return _panel(curve, colour, label, "1 − specificity", "sensitivity", diagonal=True)


def pr_panel(curve: RankingCurve, colour: str) -> str:
    """One class's precision–recall curve; the dashed line is the prevalence."""
    label = f"Precision–recall curve of {curve.name}: area {interval_words(curve.area)}"
    return _panel(curve, colour, label, "recall", "precision", diagonal=False)


def decision_curve(view: NetBenefit) -> str:
    """Net benefit of the model, of treating all and of treating none over the threshold."""
    known = [v for v in (*view.model, *view.high) if v is not None]
    top = max(known, default=0.1) * 1.12
    bottom = -0.15 * top
    plot = Plot(52, 10, 420, 210, 0.0, max(view.thresholds, default=1.0), bottom, top)
    ends = [plot.x0, plot.x1]
    shown = [v if v is None or v >= bottom else None for v in view.treat_all]
    parts = [
        plot.frame(
            nice_ticks(plot.x0, plot.x1), nice_ticks(bottom, top), "threshold probability",
            "net benefit",
        ),
        plot.band(view.thresholds, view.low, view.high, "band ink") if view.low else "",
        plot.line(ends, [0.0, 0.0], "ref"),
        plot.line(view.thresholds, shown, "ref dash"),
        plot.line(view.thresholds, view.model, "line ink"),
        text(plot.left + plot.width - 4, plot.y(0) + 12, "treat none", "tick", "end"),
    ]  # fmt: skip
    visible = [
        (t, v) for t, v in zip(view.thresholds, view.treat_all, strict=False) if v is not None
    ]
    low = [(t, v) for t, v in visible if bottom < v < 0.35 * top]
    if low:
        x, y = low[0]
        parts.append(text(plot.x(x) + 6, plot.y(y) - 4, "treat all", "tick"))
    return drawing(488, 256, "Decision curve of the malignant view", parts, "wide")


def risk_curve(view: Risk) -> str:
    """Share of wrong images over the share kept, the most certain first."""
    known = [v for v in (*view.risk, *view.high) if v is not None]
    top = max([*known, 0.01]) * 1.1
    plot = Plot(52, 10, 420, 210, 0.0, 1.0, 0.0, top)
    parts = [
        plot.frame(
            unit_ticks(), nice_ticks(0.0, top), "share of images kept", "share of them wrong"
        ),
        plot.band(view.coverages, view.low, view.high, "band ink") if view.low else "",
        plot.line(view.coverages, view.risk, "line ink"),
    ]
    return drawing(488, 256, "Risk–coverage curve", parts, "wide")


def _panel(
    curve: RankingCurve, colour: str, label: str, xlabel: str, ylabel: str, *, diagonal: bool
) -> str:
    plot = Plot(38, 8, 184, 184)
    ticks = unit_ticks()
    parts = [plot.frame(ticks, ticks, xlabel, ylabel)]
    if diagonal:
        parts.append(plot.line([0.0, 1.0], [0.0, 1.0], "ref dash"))
    elif curve.chance is not None:
        parts.append(plot.line([0.0, 1.0], [curve.chance, curve.chance], "ref dash"))
    if curve.whole_low:
        parts.append(plot.band(curve.x, curve.whole_low, curve.whole_high, f"band {colour}"))
    if curve.low:
        parts.append(plot.band(curve.x, curve.low, curve.high, f"band {colour}"))
    # A ROC curve begins at (0, 0); its grid begins with the sensitivity reached there.
    x, begin = ((0.0, *curve.x), (0.0,)) if diagonal else (curve.x, ())
    parts += [plot.line(x, begin + fold, f"thin {colour}") for fold in curve.folds]
    parts.append(plot.line(x, begin + curve.y, f"line {colour}"))
    return drawing(232, 226, label, parts, "panel")
