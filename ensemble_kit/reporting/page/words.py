"""Numbers, names and terms as safe markup."""

from collections.abc import Iterable

from markupsafe import Markup, escape

from ensemble_kit.core.numbers import MOST_WRITTEN_OUT, number_text
from ensemble_kit.reporting.figures.svg import clean, short
from ensemble_kit.reporting.page.definitions import definition_of
from ensemble_kit.reporting.view.base import Cell, Number

NAME_LIMIT = 60


def name(content: str, css: str = "") -> Markup:
    """A name from the data: escaped, isolated from the text's direction, cut when long."""
    whole = clean(content)
    shown = Markup('<bdi class="nm" title="{}">{}</bdi>').format(
        whole[:400], short(whole, NAME_LIMIT)
    )
    if not css:
        return shown
    return Markup('<span class="cl"><span class="sw {}"></span>{}</span>').format(css, shown)


def fixed(value: float | None, digits: int = 3, sign: str = "") -> str:
    """``0.912``; a true minus sign; ``–`` for nothing. sign : "+" for differences."""
    if value is None:
        return "–"
    return number_text(value, digits, sign, ",").replace("-", "−")


OUTSIDE = "the value lies outside its interval"


def estimate(number: Number | None, digits: int = 3, sign: str = "") -> Markup:
    """Value and interval, or why there is none. sign : "+" for differences."""
    if number is None:
        return Markup('<span class="na">–</span>')
    if number.value is None:
        reason = number.note or "too few groups"
        return Markup('<span class="na" title="{}">not estimable</span>').format(reason)
    written = fixed(number.value, digits, sign)
    value = Markup('<span class="v num">{}</span>').format(written)
    if number.low is None or number.high is None:
        if number.note:
            return Markup('<span class="v num" title="{}">{}</span>').format(number.note, written)
        return value
    interval = Markup(' <span class="ci">{}</span>').format(span(number, digits, sign))
    return value + interval + outside(number)


def outside(number: Number) -> Markup:
    """A mark where the value lies outside its interval, which says why."""
    if number.value is None or number.low is None or number.high is None:
        return Markup("")
    if number.low <= number.value <= number.high:
        return Markup("")
    said = "its interval" in number.note
    told = number.note if said else "; ".join(filter(None, (OUTSIDE, number.note)))
    return Markup('<abbr title="{}">*</abbr>').format(told)


def span(number: Number, digits: int = 3, sign: str = "") -> str:
    """``0.90–0.92``; with ``to`` where a bound has a sign."""
    low, high = fixed(number.low, digits, sign), fixed(number.high, digits, sign)
    return f"{low} to {high}" if "−" in low + high or sign else f"{low}–{high}"


def cell(number: Number | None, digits: int = 3, css: str = "", sign: str = "") -> Markup:
    """The estimate as a table cell that sorts by its value. sign : "+" for differences."""
    value = "" if number is None or number.value is None else f"{number.value:.6g}"
    return Markup('<td data-v="{}"{}>{}</td>').format(
        value, Markup(' class="{}"').format(css) if css else "", estimate(number, digits, sign)
    )


def plain(content: Cell) -> str:
    """A plain cell as text."""
    if content is None:
        return "–"
    if isinstance(content, bool):
        return "yes" if content else "no"
    if isinstance(content, float):
        text = f"{content:,.4g}" if abs(content) < 10_000 else f"{content:,.0f}"
        text = text if abs(content) < MOST_WRITTEN_OUT else f"{content:.2e}"
        return text.replace("-", "−")
    if isinstance(content, int):
        return f"{content:,}" if abs(content) < 10**15 else short(str(content), NAME_LIMIT)
    return clean(content)


def term(metric: str) -> Markup:
    """A metric's label, one click from its definition."""
    known = definition_of(metric)
    if known is None:
        return escape(metric.replace("_", " "))
    return Markup('<a class="term" href="#def-{}">{}</a>').format(known.key, known.label)


def marked(text: str) -> Markup:
    """Text whose parts between backticks are commands."""
    parts = [escape(part) for part in clean(text).split("`")]
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else part
        for place, part in enumerate(parts)
    )


def sentence(text: str) -> str:
    """The text with a capital at its begin and a full stop at its end."""
    text = clean(text).strip()
    return text[:1].upper() + text[1:] + ("" if text[-1:] in (".", "!", "?", "") else ".")


def listed(items: Iterable[str], limit: int = 8) -> str:
    """``a, b and c``; a count after ``limit``."""
    names = [short(clean(item), NAME_LIMIT) for item in items]
    if len(names) > limit:
        return f"{', '.join(names[:limit])} and {len(names) - limit} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
