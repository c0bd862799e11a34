"""Values with intervals as small bars: the drawn column of forest tables."""

from collections.abc import Iterable
from dataclasses import dataclass

from ensemble_kit.reporting.figures.axes import nice_ticks
from ensemble_kit.reporting.figures.svg import drawing, element, line, text
from ensemble_kit.reporting.view.base import Number

WIDTH, HEIGHT, PAD = 200.0, 18.0, 6.0


@dataclass(frozen=True)
class Scale:
    """The common range of a forest table's drawn column."""

    low: float
    high: float
    width: float = WIDTH

    def x(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low or 1.0)
        return PAD + (self.width - 2 * PAD) * min(max(share, 0.0), 1.0)


def common_scale(
    numbers: Iterable[Number], include: Iterable[float] = (), width: float = WIDTH
) -> Scale:
    """A range that holds every value, every interval and the given values, a little wider."""
    values = list(include)
    for number in numbers:
        values += [v for v in (number.value, number.low, number.high) if v is not None]
    if not values:
        return Scale(0.0, 1.0, width)
    low, high = min(values), max(values)
    margin = 0.04 * (high - low) or 0.05
    return Scale(low - margin, high + margin, width)


def interval_bar(
    number: Number, scale: Scale, reference: float | None = None, colour: str = "ink"
) -> str:
    """A dot with its interval on the common scale; decorative, the numbers stand beside it."""
    middle = HEIGHT / 2
    parts = []
    if reference is not None:
        x = scale.x(reference)
        parts.append(line([(x, 0), (x, HEIGHT)], "ref"))
    if number.value is not None:
        if number.low is not None and number.high is not None:
            ends = [(scale.x(number.low), middle), (scale.x(number.high), middle)]
            parts.append(line(ends, f"whisker {colour}"))
        dot = {"class": f"dot {colour}", "cx": scale.x(number.value), "cy": middle, "r": 3.6}
        parts.append(element("circle", dot))
    return _decorative(scale.width, parts)


def scale_axis(scale: Scale) -> str:
    """The axis above a drawn column."""
    parts = []
    for value, label in nice_ticks(scale.low, scale.high, round(scale.width / 40)):
        x = scale.x(value)
        parts.append(line([(x, 13), (x, 18)], "tickmark"))
        anchor = "start" if x < 18 else "end" if x > scale.width - 18 else "middle"
        parts.append(text(x, 10, label, "tick", anchor))
    return _decorative(scale.width, parts)


def dumbbell(first: Number, second: Number, scale: Scale) -> str:
    """Two values joined: a hollow dot (first) and a full one (second)."""
    if first.value is None or second.value is None:
        return _decorative(scale.width, [])
    middle = HEIGHT / 2
    a, b = scale.x(first.value), scale.x(second.value)
    return _decorative(
        scale.width,
        [
            line([(a, middle), (b, middle)], "whisker ink"),
            element("circle", {"class": "hollow", "cx": a, "cy": middle, "r": 3.4}),
            element("circle", {"class": "dot ink", "cx": b, "cy": middle, "r": 3.6}),
        ],
    )


def share_bar(share: float, colour: str = "ink") -> str:
    """A bar whose length is a share in [0, 1]."""
    width = (WIDTH - 2 * PAD) * min(max(share, 0.0), 1.0)
    track = {"class": "track", "x": PAD, "y": 5.0, "width": WIDTH - 2 * PAD, "height": 8.0, "rx": 2}
    bar = {"class": f"bar {colour}", "x": PAD, "y": 5.0, "width": width, "height": 8.0, "rx": 2}
    return _decorative(WIDTH, [element("rect", track), element("rect", bar)])


def strip(values: Iterable[float | None], pooled: Number, scale: Scale) -> str:
    """The folds' values as small dots over the pooled value with its interval."""
    middle = HEIGHT / 2
    parts = []
    if pooled.low is not None and pooled.high is not None:
        box = {
            "class": "range",
            "x": scale.x(pooled.low),
            "y": 2.0,
            "width": max(scale.x(pooled.high) - scale.x(pooled.low), 1.0),
            "height": HEIGHT - 4,
        }
        parts.append(element("rect", box))
    if pooled.value is not None:
        x = scale.x(pooled.value)
        parts.append(line([(x, 1), (x, HEIGHT - 1)], "whisker ink"))
    for value in values:
        if value is not None:
            dot = {"class": "hollow", "cx": scale.x(value), "cy": middle, "r": 3.2}
            parts.append(element("circle", dot))
    return _decorative(scale.width, parts)


def _decorative(width: float, parts: list[str]) -> str:
    picture = drawing(width, HEIGHT, "", parts, "mini")
    return picture.replace('role="img" aria-label=""', 'aria-hidden="true"', 1)
