"""Run as a process of its own: a system that has nothing of Unix alone, as ensemble_kit sees it.

Modules that only Unix has cannot be imported by ensemble_kit, /proc cannot be opened by it, and
what ``os`` and ``signal`` have there only it does not find. Other packages go on as they are: they
have paths of their own for other systems.
"""

import importlib
import os
import pkgutil
import signal
import sys
from importlib.abc import MetaPathFinder
from types import ModuleType

UNIX = {"fcntl", "resource", "termios", "tty", "pty", "pwd", "grp", "syslog", "posix", "crypt"}
ASKED = {"os": ("sched_getaffinity", "sysconf", "preadv", "pwrite", "posix_fallocate", "fork",
                "getuid", "geteuid", "killpg", "setsid"),
         "signal": ("SIGHUP", "SIGKILL", "SIGUSR1", "SIGALRM", "setitimer", "alarm")}  # fmt: skip

THROUGH = {"importlib", "pathlib", "io"}
"""Modules that only pass on what was asked of them."""


def _asked_by_us(depth: int) -> bool:
    frame = sys._getframe(depth)
    while frame is not None:
        room = frame.f_globals.get("__name__", "").partition(".")[0]
        if room not in THROUGH and frame.f_code.co_filename != __file__:
            return room == "ensemble_kit"
        frame = frame.f_back
    return False


class _Refused(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name in UNIX and _asked_by_us(2):
            raise ImportError(f"no module named {name!r} on this system", name=name)


def _watch(event: str, given: tuple) -> None:
    if event == "open" and str(given[0]).startswith("/proc") and _asked_by_us(2):
        raise FileNotFoundError(2, "no such file on this system", str(given[0]))


class _Poorer(ModuleType):
    """``os`` and ``signal`` without what only Unix has, where ensemble_kit asks for it."""

    def __getattribute__(self, name: str) -> object:
        asked = ASKED.get(super().__getattribute__("__name__"), ())
        if name in asked and _asked_by_us(2):
            raise AttributeError(f"no {name} on this system")
        return super().__getattribute__(name)


def main(words: list[str]) -> None:
    """``import`` imports every module; anything else is a command line."""
    sys.meta_path.insert(0, _Refused())
    sys.addaudithook(_watch)
    os.__class__ = signal.__class__ = _Poorer
    if words != ["import"]:
        from ensemble_kit.cli.start import main as command

        sys.argv = ["ensemble-kit", *words]
        command()
    import ensemble_kit

    for found in pkgutil.walk_packages(ensemble_kit.__path__, "ensemble_kit."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
    print("imported", len([name for name in sys.modules if name.startswith("ensemble_kit")]))


if __name__ == "__main__":
    main(sys.argv[1:])
