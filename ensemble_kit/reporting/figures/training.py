"""Training curves by fold; the tuning study's history, slices and importance."""

import math
from collections.abc import Sequence

from ensemble_kit.core.numbers import number_text
from ensemble_kit.reporting.figures.axes import Plot, log_ticks, nice_ticks
from ensemble_kit.reporting.figures.svg import drawing, line, short, text
from ensemble_kit.reporting.view.training import FoldHistory, Trial, Tuning


def training_panel(folds: Sequence[FoldHistory], name: str, label: str) -> str:
    """One quantity over epochs: training dashed, validation full, a line a fold, phase limits."""
    drawn = [
        (values, css)
        for fold in folds
        for key, css in ((name, "thin dash ink"), (f"val_{name}", "fold ink"))
        if (values := fold.series.get(key))
    ]
    known = [v for values, _ in drawn for v in values if v is not None]
    if not known:
        return ""
    longest = max(len(values) for values, _ in drawn)
    low, high = min(known), max(known)
    margin = 0.05 * (high - low) or 0.05
    plot = Plot(46, 10, 400, 190, 1.0, float(max(longest, 2)), low - margin, high + margin)
    epochs = [(v, t) for v, t in nice_ticks(1, plot.x1, 6) if v == int(v)]
    parts = [plot.frame(epochs, nice_ticks(plot.y0, plot.y1), "epoch", label)]
    for end in sorted({_phase_end(fold) for fold in folds} - {0}):
        x = plot.x(end + 0.5)
        parts.append(line([(x, plot.top), (x, plot.top + plot.height)], "ref dash"))
    for values, css in drawn:
        parts.append(plot.line(list(map(float, range(1, len(values) + 1))), values, css))
    words = f"{label} over epochs, {len(folds)} folds, training and validation"
    return drawing(460, 236, words, parts, "wide")


def tuning_history(study: Tuning) -> str:
    """Score of each trial in order, and the best so far."""
    known = [(t.number, t.value) for t in study.trials if t.value is not None]
    if not known:
        return ""
    plot = _score_plot(study.trials, 0.0, float(max(max(t.number for t in study.trials), 1)))
    pick = min if study.direction == "minimize" else max
    best, steps = None, []
    for number, value in known:
        if _state(study.trials, number) == "COMPLETE":
            best = value if best is None else pick(best, value)
        if best is not None:
            steps.append((float(number), best))
    parts = [
        plot.frame(
            nice_ticks(plot.x0, plot.x1, 8), nice_ticks(plot.y0, plot.y1), "trial", study.metric
        ),
        plot.line([x for x, _ in steps], [y for _, y in steps], "line ink"),
    ]
    for number, value in known:
        complete = _state(study.trials, number) == "COMPLETE"
        parts.append(plot.dot(number, value, 3.2, "dot ink" if complete else "hollow"))
    return drawing(460, 236, f"{study.metric} of each trial and the best so far", parts, "wide")


def tuning_slice(study: Tuning, parameter: str) -> str:
    """Score of the trials over one parameter, on the scale on which it was drawn."""
    points = [
        (t.parameters[parameter], t.value, t.state)
        for t in study.trials
        if t.value is not None and t.parameters.get(parameter) is not None
    ]
    numeric = all(isinstance(x, (int, float)) and not isinstance(x, bool) for x, _, _ in points)
    names = sorted({str(x) for x, _, _ in points})
    at = {name: float(i) for i, name in enumerate(names)}
    xs = [float(str(x)) if numeric else at[str(x)] for x, _, _ in points]
    if not xs:
        return ""
    logarithmic = numeric and parameter in study.logarithmic and min(xs) > 0
    if logarithmic:
        xs = [math.log10(x) for x in xs]
    low, high = min(xs), max(xs)
    margin = 0.06 * (high - low) or 0.5
    plot = _score_plot(study.trials, low - margin, high + margin, width=184, height=150)
    if logarithmic:
        ticks = log_ticks(10**plot.x0, 10**plot.x1)
    elif numeric:
        ticks = nice_ticks(plot.x0, plot.x1, 3)
    else:
        ticks = [(at[name], short(name, 12)) for name in names]
    label = short(parameter, 22) + (", log scale" if logarithmic else "")
    parts = [plot.frame(ticks, nice_ticks(plot.y0, plot.y1, 4), label)]
    for x, (_, y, state) in zip(xs, points, strict=True):
        parts.append(plot.dot(x, y, 3.0, "dot ink" if state == "COMPLETE" else "hollow"))
    return drawing(240, 192, f"{study.metric} of the trials over {parameter}", parts, "panel")


def importance_bars(study: Tuning) -> str:
    """Share of the score's variance each parameter explains."""
    ranked = sorted(study.importance.items(), key=lambda item: (-item[1], item[0]))[:12]
    plot = Plot(150, 4, 260, 22.0 * len(ranked), 0.0, max([v for _, v in ranked], default=1.0))
    parts = []
    for row, (name, value) in enumerate(ranked):
        y = plot.top + 22 * row + 11
        parts.append(line([(plot.x(0), y), (plot.x(max(value, 0.0)), y)], "thick ink"))
        parts.append(text(plot.left - 8, y + 4, short(name, 22), "tick", "end"))
        parts.append(text(plot.x(max(value, 0.0)) + 8, y + 4, number_text(value, 2), "tick"))
    return drawing(460, plot.height + 8, "Importance of the parameters", parts, "wide")


def _phase_end(fold: FoldHistory) -> int:
    """Epochs before the phase changes; 0 where it never does."""
    changes = [i for i in range(1, len(fold.phases)) if fold.phases[i] != fold.phases[i - 1]]
    return changes[0] if changes else 0


def _state(trials: Sequence[Trial], number: int) -> str:
    return next(t.state for t in trials if t.number == number)


def _score_plot(
    trials: Sequence[Trial], x0: float, x1: float, width: float = 390, height: float = 190
) -> Plot:
    values = [t.value for t in trials if t.value is not None]
    low, high = min(values), max(values)
    margin = 0.06 * (high - low) or 0.05
    return Plot(50, 10, width, height, x0, x1, low - margin, high + margin)
