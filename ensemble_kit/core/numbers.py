"""Numbers as text, for the terminal and the page."""

MOST_WRITTEN_OUT = 1e9
"""Numbers from here on are written with an exponent."""


def number_text(value: float, digits: int = 3, sign: str = "", thousands: str = "") -> str:
    """``0.895``; ``1.00e+300`` from MOST_WRITTEN_OUT on. Zero has no sign. sign : "+" for
    differences. thousands : "," parts them."""
    if abs(value) >= MOST_WRITTEN_OUT:
        return f"{value:{sign}.2e}"
    text = f"{value:{sign}z{thousands}.{digits}f}"
    return text if text.strip("+0.,") else text.removeprefix("+")
