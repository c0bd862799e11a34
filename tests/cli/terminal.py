"""What commands print, kept as what they asked to be printed, to be printed at any width."""

import io
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from unittest import mock

from rich.console import Console
from typer.testing import CliRunner

from ensemble_kit.cli import panels
from ensemble_kit.cli.app import app
from ensemble_kit.progress import console, tables

WIDE = 5000


@dataclass
class Printed:
    """Sentences and tables of stdout, in their order."""

    asked: list[str | tables.Table] = field(default_factory=list)

    @contextmanager
    def recording(self):
        def heard(where: Console, text: str) -> None:
            if where is console.results:
                self.asked.append(text)

        with mock.patch.object(console, "_print", heard), mock.patch.object(
            tables, "show", self.asked.append
        ):  # fmt: skip
            yield

    def lines(self, width: int) -> list[str]:
        """The same lines without a console between, which is quick."""
        return [
            line
            for part in self.asked
            for line in (
                [found.plain for found in tables.lines_of(part, width)]
                if isinstance(part, tables.Table)
                else console.wrapped(part, width).split("\n")
            )
        ]

    def at(self, width: int) -> str:
        """On a terminal of so many columns."""
        with terminal(width) as file:
            for part in self.asked:
                tables.show(part) if isinstance(part, tables.Table) else console.say(part)
        return file.getvalue()


@contextmanager
def terminal(width: int):
    """Standard output as a terminal without colours, of so many columns."""
    file = io.StringIO()
    made = Console(file=file, width=width, force_terminal=True, color_system=None, highlight=False)
    with mock.patch.multiple(console, results=made), mock.patch.multiple(
        tables, results=made
    ), mock.patch.multiple(panels, results=made):  # fmt: skip
        yield file


def of_command(*words: object) -> Printed:
    printed = Printed()
    with printed.recording():
        done = CliRunner().invoke(app, list(map(str, words)), catch_exceptions=False)
    assert done.exit_code == 0
    return printed


def of_call(call: Callable[[], object]) -> Printed:
    printed = Printed()
    with printed.recording():
        call()
    return printed


def help_at(width: int, *words: str) -> str:
    with terminal(width) as file:
        CliRunner().invoke(app, [*words, "--help"], catch_exceptions=False)
    return file.getvalue()
