"""How work under way tells a listener what happens, and the listener that hears nothing."""

from collections.abc import Callable
from typing import Any

Tell = Callable[..., None]
"""Called as ``tell(kind, **facts)``; ``progress`` has listeners that draw what they hear."""


def say_nothing(kind: str, **facts: Any) -> None:
    """The listener of a workflow that nobody listens to."""
