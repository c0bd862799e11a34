"""SVG text: escaped elements, short numbers, paths. Colours are classes that a theme sets."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from unicodedata import category

Points = Sequence[tuple[float, float]]


# Marks that turn the direction of what follows them, for the rest of the line.
TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def clean(text: str) -> str:
    """Text whose control characters and marks of direction are made visible (U+FFFD)."""
    return "".join("\ufffd" if _unfit(c) else c for c in text)


def _unfit(c: str) -> bool:
    return c in TURNING or (category(c) in ("Cc", "Cs") and c not in "\n\t")


def short(text: str, limit: int) -> str:
    """The text, cut with an ellipsis where it is longer than ``limit`` characters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


FARTHEST = 1e5
"""Pixels; what lies beyond is drawn there, far outside of any picture."""


def num(value: float) -> str:
    """A coordinate, to a tenth of a pixel, in the fewest characters."""
    text = f"{min(max(value, -FARTHEST), FARTHEST):.1f}"
    text = text[:-2] if text.endswith(".0") else text
    return "0" if text == "-0" else text


def element(name: str, attributes: Mapping[str, object], *children: str) -> str:
    """One element; attribute values are escaped, children are markup already."""
    parts = [name]
    for key, value in attributes.items():
        text = num(value) if isinstance(value, float) else escape(clean(str(value)))
        parts.append(f'{key}="{text}"')
    head = " ".join(parts)
    return f"<{head}>{''.join(children)}</{name}>" if children else f"<{head}/>"


def text(x: float, y: float, content: str, css: str = "", anchor: str = "start") -> str:
    """A line of text at a point; the content is escaped."""
    attributes: dict[str, object] = {"x": x, "y": y}
    if css:
        attributes["class"] = css
    if anchor != "start":
        attributes["text-anchor"] = anchor
    return element("text", attributes, escape(clean(content)))


def path_data(points: Points) -> str:
    """``M x y L …`` with points on a straight line left out."""
    kept = _without_collinear([(round(x, 1), round(y, 1)) for x, y in points])
    return "M" + "L".join(f"{num(x)} {num(y)}" for x, y in kept)


def line(points: Points, css: str) -> str:
    return element("path", {"class": css, "d": path_data(points)}) if len(points) > 1 else ""


def area(upper: Points, lower: Points, css: str) -> str:
    """The region between two lines given from left to right."""
    if len(upper) < 2:
        return ""
    outline = path_data(upper) + "L" + path_data(list(reversed(lower)))[1:] + "Z"
    return element("path", {"class": css, "d": outline})


def drawing(width: float, height: float, label: str, parts: Iterable[str], css: str = "") -> str:
    """A whole picture: ``label`` is what a screen reader says instead of it."""
    attributes = {
        "viewBox": f"0 0 {num(width)} {num(height)}",
        "class": f"fig {css}".strip(),
        "role": "img",
        "aria-label": label,
    }
    return element("svg", attributes, *parts)


def _without_collinear(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    kept: list[tuple[float, float]] = []
    for point in points:
        if kept and point == kept[-1]:
            continue
        if len(kept) > 1:
            (ax, ay), (bx, by) = kept[-2], kept[-1]
            cross = (bx - ax) * (point[1] - ay) - (by - ay) * (point[0] - ax)
            onward = (bx - ax) * (point[0] - bx) + (by - ay) * (point[1] - by)
            if abs(cross) < 0.05 and onward >= 0:
                kept[-1] = point
                continue
        kept.append(point)
    return kept
