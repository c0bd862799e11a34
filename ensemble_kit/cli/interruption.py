"""Ctrl-C that is not lost, and SIGTERM that is one: Python drops a KeyboardInterrupt that arrives
inside a destructor."""

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self


class Interruption:
    """While it is entered, remembers that Ctrl-C was pressed; ``check`` raises it once more."""

    def __init__(self) -> None:
        self._asked = False
        self._before: Any = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._heard)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def check(self) -> None:
        if self._asked:
            raise KeyboardInterrupt

    def _heard(self, number: int, frame: FrameType | None) -> None:
        self._asked = True
        raise KeyboardInterrupt


_said = {"kept": ""}


def say_kept(sentence: str) -> None:
    """What a command that is ended says of its work, in place of the usual sentence."""
    _said["kept"] = sentence


class Termination:
    """From ``listen`` on, SIGTERM and a closed terminal (SIGHUP) are Ctrl-C: workers are ended and
    what was finished is kept. The handlers stay, since the process is about to end.

    number : the signal that came, else None. pressed : whether Ctrl-C was; compiled code that is
    interrupted may raise an error of its own in place of KeyboardInterrupt.
    """

    SIGNALS = ("SIGTERM", "SIGHUP")

    def __init__(self) -> None:
        self.number: int | None = None
        self.pressed = False
        say_kept("what was finished is kept; give the same command again to go on")

    @property
    def kept(self) -> str:
        """What is said of the work of a command that was ended."""
        return _said["kept"]

    @property
    def came(self) -> bool:
        """Whether the command was asked to end."""
        return self.pressed or self.number is not None

    def listen(self) -> None:
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._pressed)
        for name in self.SIGNALS:
            if (number := getattr(signal, name, None)) is not None and (
                signal.getsignal(number) is signal.SIG_DFL
            ):
                signal.signal(number, self._heard)

    def leave_at_once(self, code: int) -> None:
        """From here on another signal ends the process with the code of the first."""

        def leave(number: int, frame: FrameType | None) -> None:
            os._exit(code)

        for name in ("SIGINT", *self.SIGNALS):
            if (number := getattr(signal, name, None)) is not None and (
                signal.getsignal(number) is not signal.SIG_IGN
            ):
                signal.signal(number, leave)

    def _pressed(self, number: int, frame: FrameType | None) -> None:
        self.pressed = True
        raise KeyboardInterrupt

    def _heard(self, number: int, frame: FrameType | None) -> None:
        self.number = number if self.number is None else self.number
        of_ctrl_c = signal.getsignal(signal.SIGINT)
        if callable(of_ctrl_c):
            of_ctrl_c(number, frame)
        raise KeyboardInterrupt
