"""Estimates, sizes and rates in words, as every table of the terminal has them."""

from typing import TYPE_CHECKING

from ensemble_kit.core.numbers import number_text

if TYPE_CHECKING:  # the help of a command loads no numpy
    from ensemble_kit.core.records import Estimate


def value_words(
    estimate: "Estimate | None", digits: int = 3, *, sign: str = "", none: str = "–"
) -> str:
    """``0.895``; ``none`` without a value. sign : "+" for differences."""
    if estimate is None or estimate.value is None:
        return none
    return number_text(estimate.value, digits, sign)


def interval_words(estimate: "Estimate | None", digits: int = 3, *, sign: str = "") -> str:
    """``[0.872 0.914]``; empty without an interval."""
    if estimate is None or None in (estimate.value, estimate.low, estimate.high):
        return ""
    low, high = (number_text(bound or 0.0, digits, sign) for bound in (estimate.low, estimate.high))
    return f"[{low} {high}]"


def in_words(estimate: "Estimate", digits: int = 3, *, sign: str = "", none: str = "–") -> str:
    """``0.895 [0.872 0.914]``"""
    value = value_words(estimate, digits, sign=sign, none=none)
    interval = interval_words(estimate, digits, sign=sign)
    return f"{value} {interval}" if interval else value


def level_text(level: float) -> str:
    """``95%``, ``99.9%``"""
    return f"{100 * level:g}%"


def rate_text(per_second: float) -> str:
    """``132 images/s``, ``2.6 images/s`` below ten."""
    return f"{per_second:,.{0 if per_second >= 10 else 1}f} images/s"


def size_text(n_bytes: float) -> str:
    """``0.32 GB`` from 100 MB on, ``12.5 MB`` below, ``4.2 kB`` below 50 kB."""
    if n_bytes >= 1e8:
        return f"{n_bytes / 1e9:.2f} GB"
    return f"{n_bytes / 1e6:.1f} MB" if n_bytes >= 5e4 else f"{n_bytes / 1e3:.1f} kB"
