"""Commands given in this process, as ``main`` would run them, and what a command may never do."""

import contextlib
import functools
import io
import os
import re
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import typer.main

from ensemble_kit.cli.app import main
from ensemble_kit.study import vocabulary

LONGEST_SENTENCE = 400
WHAT_IT_HOLDS = ("class", "group", "groups", "lesion", "image", "images", "label", "labels",
                 "dataset", "data.vocabulary")  # fmt: skip
"""A sentence may name these of a table or data set in its place."""
ENDED = (129, 130, 143)
MOST_SECONDS = 20.0
made_once = functools.cache(typer.main.get_command)
"""The command line of the program, which a process builds once."""
MOST_BYTES = 2 << 30


@dataclass(frozen=True)
class Outcome:
    """code : the exit code. written : files that are new or changed, relative to the folder."""

    code: int
    out: str
    err: str
    seconds: float
    written: tuple[str, ...]

    @property
    def error(self) -> str:
        """The sentence of the error."""
        lines = [line for line in self.err.splitlines() if line.startswith("error: ")]
        return lines[-1].removeprefix("error: ") if lines else ""


def give(folder: Path, words: Sequence[str]) -> Outcome:
    """Run a command in ``folder``, as the command line would; nothing it raises gets out."""
    before, began = seen(folder), time.process_time()
    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    with _in(folder, words), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        vocabulary._read.cache_clear()
        try:
            main()
        except SystemExit as left:
            code = left.code
    if code in ENDED:  # it was this process that was asked to end
        raise KeyboardInterrupt
    after = seen(folder)
    names = sorted({**before, **after})
    written = tuple(name for name in names if before.get(name) != after.get(name))
    return Outcome(
        int(code or 0) if isinstance(code, (int, type(None))) else 1,
        out.getvalue(), err.getvalue(), time.process_time() - began, written,
    )  # fmt: skip


def seen(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file with its time and size."""
    return {
        str(path.relative_to(folder)): (path.lstat().st_mtime_ns, path.lstat().st_size)
        for path in folder.rglob("*")
        if not path.is_dir()
    }


def faults(outcome: Outcome, file: str = "", allowed: Sequence[str] = ("out",)) -> list[str]:
    """What an outcome breaks of the rule: exit code 0 or 2, one sentence that names the file, no
    traceback, nothing written outside the places named, in time."""
    found = []
    if outcome.code not in (0, 2):
        found.append(f"exit code {outcome.code}: {outcome.error or outcome.err[-300:]}")
    if "Traceback" in outcome.out + outcome.err:
        found.append("a traceback")
    if outcome.code == 2:
        if not outcome.error:
            found.append(f"exit code 2 without a sentence: {outcome.err[-200:]}")
        if len(outcome.error) > LONGEST_SENTENCE:
            found.append(f"a sentence of {len(outcome.error)} characters: {outcome.error[:120]}…")
        if file and not names(outcome.error, file):
            found.append(f"the sentence does not name {file}: {outcome.error[:200]}")
    outside = [name for name in outcome.written if not name.startswith(tuple(allowed))]
    if outside:
        found.append(f"written outside: {outside[:3]}")
    if outcome.seconds > MOST_SECONDS:
        found.append(f"{outcome.seconds:.0f} s of processor time")
    return found


def names(sentence: str, file: str) -> bool:
    """Whether a sentence names a file, the run or bundle it belongs to, or what in a data set is
    wrong."""
    path = Path(file)
    words = [path.name, str(path.parent)] if path.parent.name else [path.name]
    if len(path.parts) > 2 and path.parts[0] == "runs":
        words += [f"runs/{path.parts[1]}", f"'{path.parts[1]}'"]
    if path.suffix == ".toml":
        words += ["a study's data.path", "folds"]
    if len(path.parts) == 1 or path.parts[0] == "data":
        words += [path.stem] if len(path.stem) > 1 else []
        words += WHAT_IT_HOLDS
    return any(re.search(rf"(?<![\w.]){re.escape(word)}(?!\w)", sentence) for word in words)


@contextlib.contextmanager
def _in(folder: Path, words: Sequence[str]) -> Iterator[None]:
    here, given = Path.cwd(), sys.argv
    signals = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    handlers = [signal.getsignal(number) for number in signals]
    os.chdir(folder)
    sys.argv = ["cli.py", *map(str, words)]
    try:
        with mock.patch.object(typer.main, "get_command", made_once):
            yield
    finally:
        os.chdir(here)
        sys.argv = given
        for number, handler in zip(signals, handlers, strict=True):
            signal.signal(number, handler)
