"""Class balance by fold and the flow of images through the study."""

from collections.abc import Sequence
from html import escape

from ensemble_kit.reporting.figures.svg import drawing, element, line, short, text
from ensemble_kit.reporting.view.data import ClassInfo, FlowStep


def class_balance(classes: Sequence[ClassInfo], colours: dict[str, str]) -> str:
    """One stacked bar a fold: the share of each class among its images."""
    n_folds = max((len(c.by_fold) for c in classes), default=0)
    height = 26.0 * n_folds
    parts = []
    for fold in range(n_folds):
        counts = [c.by_fold[fold] for c in classes]
        total, x, y = sum(counts) or 1, 60.0, 26.0 * fold + 4
        parts.append(text(52, y + 13, f"fold {fold}", "tick", "end"))
        for info, count in zip(classes, counts, strict=True):
            width = 340.0 * count / total
            if count:
                box = {"class": f"bar {colours[info.name]}", "x": x, "y": y}
                size = {"width": max(width - 0.8, 0.4), "height": 18.0}
                title = element("title", {}, _title(info.name, count, total))
                parts.append(element("rect", box | size, title))
            x += width
        parts.append(text(406, y + 13, f"{total:,}", "tick"))
    return drawing(460, height + 4, "Share of each class in each fold", parts, "wide")


def flow_diagram(steps: Sequence[FlowStep]) -> str:
    """Boxes from the images given to the numbers reported, with what left on the way."""
    parts: list[str] = []
    y, width = 4.0, 300.0
    for index, step in enumerate(steps):
        height = 26.0 + 16 * len(step.lines)
        parts.append(_box(4, y, width, height, "box"))
        parts.append(text(16, y + 18, short(step.title, 44), "boxtitle"))
        for row, words in enumerate(step.lines):
            parts.append(text(16, y + 36 + 16 * row, short(words, 48), "boxline"))
        gap = 22.0
        if step.removed:
            gap = 30.0 + 16 * len(step.removed)
            aside = y + height + 8
            parts.append(_box(width + 40, aside, 250, 12.0 + 16 * len(step.removed), "box aside"))
            middle = aside + 6 + 8 * len(step.removed)
            parts.append(line([(154, middle), (width + 40, middle)], "flow"))
            for row, words in enumerate(step.removed):
                place = aside + 18 + 16 * row
                parts.append(text(width + 50, place, short(words, 40), "boxline"))
        if index < len(steps) - 1:
            end = y + height + gap
            parts.append(line([(154, y + height), (154, end - 5)], "flow"))
            arrow = {"class": "arrow", "d": f"M150 {end - 6:.1f}L158 {end - 6:.1f}L154 {end:.1f}Z"}
            parts.append(element("path", arrow))
        y += height + gap
    wide = any(step.removed for step in steps)
    label = "Flow of images: " + "; ".join(step.title for step in steps)
    css = "flowchart" if wide else "flowchart narrow"
    return drawing(600 if wide else 320, max(y - 18, 10), label, parts, css)


def _box(x: float, y: float, width: float, height: float, css: str) -> str:
    place: dict[str, object] = {"class": css, "x": float(x), "y": y}
    return element("rect", place | {"width": float(width), "height": height, "rx": 5})


def _title(name: str, count: int, total: int) -> str:
    return escape(f"{short(name, 60)}: {count:,} ({100 * count / total:.1f} %)")
