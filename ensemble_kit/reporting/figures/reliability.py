"""Reliability diagrams with their histogram."""

from ensemble_kit.reporting.figures.axes import Plot, unit_ticks
from ensemble_kit.reporting.figures.curves import interval_words
from ensemble_kit.reporting.figures.svg import drawing, element, line
from ensemble_kit.reporting.view.base import Number
from ensemble_kit.reporting.view.calibration import Reliability

FEWEST = 5


def reliability_panel(before: Reliability, after: Reliability | None, colour: str) -> str:
    """Observed frequency over predicted probability; hollow and dashed before, full after.

    The bars below count the images in each bin (square-root scale) of what is shown in full.
    """
    main = after or before
    plot = Plot(38, 8, 184, 160)
    bars = Plot(38, 174, 184, 26)
    ticks = unit_ticks()
    parts = [
        bars.frame(ticks, [], "predicted probability"),
        plot.frame([(v, "") for v, _ in ticks], ticks, "", "observed frequency"),
        plot.line([0.0, 1.0], [0.0, 1.0], "ref dash"),
    ]
    most = max(main.count, default=0) or 1
    for low, high, count in zip(main.edges, main.edges[1:], main.count, strict=False):
        if count:
            height = bars.height * (count / most) ** 0.5
            box = {
                "class": f"hist {colour}",
                "x": bars.x(low) + 0.5,
                "y": bars.top + bars.height - height,
                "width": max(bars.x(high) - bars.x(low) - 1, 0.5),
                "height": height,
            }
            parts.append(element("rect", box))
    if after is not None:
        parts.append(_points(plot, before, "before dash", colour, hollow=True))
    parts.append(_band(plot, main, colour))
    parts.append(_points(plot, main, "line", colour, hollow=False))
    error = f"expected calibration error {interval_words(main.error)}"
    if after is not None:
        error += f"; before calibration {interval_words(before.error)}"
    return drawing(232, 234, f"Reliability diagram of {main.name}: {error}", parts, "panel")


def _shown(view: Reliability) -> list[tuple[float, Number]]:
    """The bins with enough images to be drawn."""
    bins = zip(view.predicted, view.observed, view.count, strict=True)
    return [(p, o) for p, o, n in bins if p is not None and n >= FEWEST]


def _known(view: Reliability) -> list[tuple[float, float]]:
    return [(p, o.value) for p, o in _shown(view) if o.value is not None]


def _points(plot: Plot, view: Reliability, css: str, colour: str, *, hollow: bool) -> str:
    known = _known(view)
    path = line([(plot.x(p), plot.y(o)) for p, o in known], f"{css} {colour}")
    if hollow:
        return path
    return path + "".join(plot.dot(p, o, 2.2, f"dot {colour}") for p, o in known)


def _band(plot: Plot, view: Reliability, colour: str) -> str:
    whiskers = []
    for p, o in _shown(view):
        if o.low is not None and o.high is not None:
            ends = [(plot.x(p), plot.y(o.low)), (plot.x(p), plot.y(o.high))]
            whiskers.append(line(ends, f"bandline {colour}"))
    return "".join(whiskers)
