"""How work under way tells a listener what happens, and the listener that hears nothing."""

from collections.abc import Callable
from typing import Any

Tell = Callable[..., None]
"""Called as ``tell(kind, **facts)``; ``progress`` has listeners that draw what they hear."""


def say_nothing(kind: str, **facts: Any) -> None:
    """The listener of a workflow that nobody listens to."""


def tell_all(*listeners: Tell) -> Tell:
    """A listener that passes on what it hears to each of these, in their order."""

    def tell(kind: str, **facts: Any) -> None:
        for listener in listeners:
            listener(kind, **facts)

    return tell
