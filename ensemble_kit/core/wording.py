"""An estimate in words, as every table of the terminal has it."""

from ensemble_kit.core.records import Estimate

MOST_WRITTEN_OUT = 1e9
"""Numbers from here on are written with an exponent."""


def value_words(
    estimate: Estimate | None, digits: int = 3, *, sign: str = "", none: str = "–"
) -> str:
    """``0.895``; ``none`` without a value. sign : "+" for differences."""
    if estimate is None or estimate.value is None:
        return none
    return _number(estimate.value, digits, sign)


def interval_words(estimate: Estimate | None, digits: int = 3, *, sign: str = "") -> str:
    """``[0.872 0.914]``; empty without an interval."""
    if estimate is None or None in (estimate.value, estimate.low, estimate.high):
        return ""
    low, high = (_number(bound or 0.0, digits, sign) for bound in (estimate.low, estimate.high))
    return f"[{low} {high}]"


def in_words(estimate: Estimate, digits: int = 3, *, sign: str = "", none: str = "–") -> str:
    """``0.895 [0.872 0.914]``"""
    value = value_words(estimate, digits, sign=sign, none=none)
    interval = interval_words(estimate, digits, sign=sign)
    return f"{value} {interval}" if interval else value


def _number(value: float, digits: int, sign: str) -> str:
    kind = "e" if abs(value) >= MOST_WRITTEN_OUT else "f"
    return f"{value:{sign}.{digits}{kind}}"
