"""A plotting area: a scale in each direction, ticks, a frame, and what is drawn inside."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ensemble_kit.core.numbers import MOST_WRITTEN_OUT
from ensemble_kit.reporting.figures.svg import Points, area, element, line, text

Axis = Sequence[tuple[float, str]]


def nice_ticks(low: float, high: float, about: int = 5) -> list[tuple[float, str]]:
    """Round tick values inside [low, high] with their labels."""
    if not high > low:
        return [(low, f"{low:g}")]
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= raw * 0.999)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [(k * step, _label(k * step, decimals)) for k in range(first, last + 1)]


def log_ticks(low: float, high: float, most: int = 4) -> list[tuple[float, str]]:
    """Ticks 1, 3 · 10^k inside [low, high] (both positive) at their decimal logarithms; powers of
    ten alone where there are more than ``most``."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    every = [m * 10.0**k for k in decades for m in (1, 3)]
    inside = [v for v in every if low * 0.999 <= v <= high * 1.001]
    if len(inside) > most:
        inside = [v for v in inside if math.isclose(math.log10(v), round(math.log10(v)))]
    return [(math.log10(v), _short_number(v)) for v in inside or [low, high]]


def _short_number(value: float) -> str:
    """0.001, 30, 3e−5."""
    if 1e-3 <= value < 1e5:
        return f"{value:g}"
    return f"{value:.0e}".replace("e-0", "e−").replace("e+0", "e").replace("e-", "e−")


def _label(value: float, decimals: int) -> str:
    if abs(value) >= MOST_WRITTEN_OUT:
        digits, _, exponent = f"{value:.2e}".partition("e")
        return f"{digits.rstrip('0').rstrip('.')}e{int(exponent)}".replace("-", "−")
    text = f"{value:,.{decimals}f}"
    return text.lstrip("-") if float(text.replace(",", "")) == 0 else text.replace("-", "−")


def unit_ticks() -> list[tuple[float, str]]:
    return [(0.0, "0"), (0.25, ""), (0.5, "0.5"), (0.75, ""), (1.0, "1")]


@dataclass(frozen=True)
class Plot:
    """A rectangle of the picture (pixels, y downwards) that shows [x0, x1] × [y0, y1] of data."""

    left: float
    top: float
    width: float
    height: float
    x0: float = 0.0
    x1: float = 1.0
    y0: float = 0.0
    y1: float = 1.0

    def x(self, value: float) -> float:
        span = self.x1 - self.x0 or 1.0
        return self.left + self.width * (value - self.x0) / span

    def y(self, value: float) -> float:
        span = self.y1 - self.y0 or 1.0
        return self.top + self.height * (1 - (value - self.y0) / span)

    def points(self, xs: Sequence[float], ys: Sequence[float | None]) -> Points:
        """The pixels of the points that exist, kept inside the frame."""
        pairs = zip(xs, ys, strict=True)
        return [
            (self.x(a), self.y(min(max(b, self.y0), self.y1))) for a, b in pairs if b is not None
        ]

    def line(self, xs: Sequence[float], ys: Sequence[float | None], css: str) -> str:
        return line(self.points(xs, ys), css)

    def band(
        self,
        xs: Sequence[float],
        low: Sequence[float | None],
        high: Sequence[float | None],
        css: str,
    ) -> str:
        """The region between two lines, where both exist."""
        both = [
            (x, a, b)
            for x, a, b in zip(xs, low, high, strict=True)
            if a is not None and b is not None
        ]
        grid = [x for x, _, _ in both]
        upper = self.points(grid, [b for _, _, b in both])
        return area(upper, self.points(grid, [a for _, a, _ in both]), css)

    def dot(self, x: float, y: float, radius: float, css: str) -> str:
        attributes = {"class": css, "cx": self.x(x), "cy": self.y(y), "r": float(radius)}
        return element("circle", attributes)

    def frame(self, xticks: Axis, yticks: Axis, xlabel: str = "", ylabel: str = "") -> str:
        """Grid lines, tick labels and axis labels."""
        bottom, right = self.top + self.height, self.left + self.width
        parts = []
        for value, label in xticks:
            x = self.x(value)
            parts.append(line([(x, self.top), (x, bottom)], "grid"))
            parts.append(text(x, bottom + 13, label, "tick", "middle") if label else "")
        for value, label in yticks:
            y = self.y(value)
            parts.append(line([(self.left, y), (right, y)], "grid"))
            parts.append(text(self.left - 5, y + 3.5, label, "tick", "end") if label else "")
        if xlabel:
            parts.append(text((self.left + right) / 2, bottom + 27, xlabel, "axis", "middle"))
        if ylabel:
            x, y = self.left - 30, (self.top + bottom) / 2
            turn = {
                "class": "axis",
                "text-anchor": "middle",
                "transform": f"translate({x:.1f} {y:.1f}) rotate(-90)",
            }
            parts.append(element("text", turn, ylabel))
        return "".join(parts)
