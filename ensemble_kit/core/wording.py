"""An estimate in words, as every table of the terminal has it."""

from ensemble_kit.core.records import Estimate


def value_words(
    estimate: Estimate | None, digits: int = 3, *, sign: str = "", none: str = "–"
) -> str:
    """``0.895``; ``none`` without a value. sign : "+" for differences."""
    if estimate is None or estimate.value is None:
        return none
    return f"{estimate.value:{sign}.{digits}f}"


def interval_words(estimate: Estimate | None, digits: int = 3, *, sign: str = "") -> str:
    """``[0.872 0.914]``; empty without an interval."""
    if estimate is None or None in (estimate.value, estimate.low, estimate.high):
        return ""
    return f"[{estimate.low:{sign}.{digits}f} {estimate.high:{sign}.{digits}f}]"


def in_words(
    estimate: Estimate, digits: int = 3, *, sign: str = "", none: str = "–", between: str = " "
) -> str:
    """``0.895 [0.872 0.914]``; between : what parts the two, as a new line in narrow columns."""
    value = value_words(estimate, digits, sign=sign, none=none)
    interval = interval_words(estimate, digits, sign=sign)
    return f"{value}{between}{interval}" if interval else value
