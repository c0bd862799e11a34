"""Damaged files without end: ``python -m tests.chaos.fuzz --seconds 600 --seed 1``.

Prints each new kind of failure once, with the trial that makes it, and the counts at the end.
"""

import json
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from ensemble_kit.core.machine import peak_memory
from tests.chaos.giving import MOST_BYTES
from tests.chaos.mutations import Mutation, mutations
from tests.chaos.processes import ROOT
from tests.chaos.reporting import options, tell
from tests.chaos.trials import Trial, attempt, choices, make_whole
from tests.chaos.workplace import make_searched, make_workplace

A_BATCH = 50
LONGEST = 300.0
"""Seconds after its time that a process may still take to load and end."""
A_PROCESS = 600
"""Cases that one process tries: frameworks keep memory, and a library in C may end the process."""


@dataclass
class Fuzzed:
    """by_file : cases tried of each file. failed : by kind, the fault, the trial that makes it and
    how often it came."""

    by_file: Counter[str] = field(default_factory=Counter)
    failed: dict[str, dict[str, object]] = field(default_factory=dict)
    slowest_seconds: float = 0.0
    peak_bytes: int = 0

    @property
    def tried(self) -> int:
        return sum(self.by_file.values())

    def fail(self, kind: str, fault: str, trial: str, times: int = 1) -> None:
        if kind not in self.failed:
            self.failed[kind] = {"fault": fault, "trial": trial, "times": 0}
            print("FAILED", fault, "\n   ", trial[:600], flush=True)
        self.failed[kind]["times"] = int(str(self.failed[kind]["times"])) + times

    def add(self, other: Mapping[str, object]) -> None:
        """What another process counted."""
        self.by_file.update(dict(other["by_file"]))  # type: ignore[call-overload]
        for kind, one in dict(other["failed"]).items():  # type: ignore[call-overload]
            self.fail(kind, one["fault"], one["trial"], one["times"])
        self.slowest_seconds = max(self.slowest_seconds, float(str(other["slowest_seconds"])))
        self.peak_bytes = max(self.peak_bytes, int(str(other["peak_bytes"])))


def fuzz(
    folder: Path, number: int, seconds: float, cases: int = 1 << 30, trained: bool = False
) -> Fuzzed:
    """Try until the time or the number of cases is used up. Files and commands take turns in a
    drawn order, so each comes equally often; hypothesis draws the damage."""
    found = Fuzzed()
    end, batch = time.monotonic() + seconds, 0
    stream, turns = random.Random(number), list[tuple[str, tuple[str, ...]]]()

    def one(damage: list[Mutation]) -> None:
        if time.monotonic() > end or found.tried >= cases:
            return
        if not turns:
            every = choices(trained)
            turns.extend(stream.sample(every, len(every)))
        trial = Trial(*turns.pop(), tuple(damage))
        outcome, wrong = attempt(folder, trial)
        found.slowest_seconds = max(found.slowest_seconds, round(outcome.seconds, 1))
        found.by_file[trial.file] += 1
        peak = peak_memory()
        if peak > MOST_BYTES >= found.peak_bytes:
            wrong.append(f"{peak / 1e9:.1f} GB of memory")
        found.peak_bytes = peak
        for fault in wrong:
            kind = f"{trial.words[0]} {trial.file}: {re.sub(r'[0-9]+', '#', fault)[:90]}"
            found.fail(kind, fault, repr(trial)[:2000])

    while time.monotonic() < end and found.tried < cases:
        run = settings(
            max_examples=A_BATCH, database=None, deadline=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )(given(mutations)(one))  # fmt: skip
        seed(number * 1_000_003 + batch)(run)()
        batch += 1
    return found


def fuzz_in_processes(
    folder: Path, number: int, seconds: float, cases: int = 1 << 30, trained: bool = False
) -> Fuzzed:
    """The same in processes of A_PROCESS cases, one after the other."""
    found, end, part = Fuzzed(), time.monotonic() + seconds, 0
    while (left := end - time.monotonic()) > 0 and found.tried < cases:
        to = folder.with_name(f"{folder.name}.json")
        to.unlink(missing_ok=True)
        words = ["--within", folder, "--seed", number * 10_007 + part, "--seconds", left, "--to",
                 to, "--cases", min(A_PROCESS, cases - found.tried),
                 *([] if trained else ["--untrained"])]  # fmt: skip
        code, said = _ended([sys.executable, "-m", "tests.chaos.fuzz", *map(str, words)], left)
        if to.is_file():
            found.add(json.loads(to.read_text(encoding="utf-8")))
        if code:
            fault = f"a process ended with {code}: {said[-1000:]}"
            found.fail(f"process {code}", fault, " ".join(map(str, words)))
            make_whole(folder)
        part += 1
    return found


def _ended(words: list[str], seconds: float) -> tuple[int, str]:
    """The exit code of a process and what it said; one that waits for ever is a failure."""
    try:
        ended = subprocess.run(
            words, cwd=ROOT, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            check=False, errors="replace", timeout=seconds + LONGEST,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return -1, "it waits for ever"
    return ended.returncode, ended.stderr


def command() -> None:
    parser = options(__doc__)
    parser.add_argument("--cases", type=int, default=1 << 30)
    parser.add_argument("--untrained", action="store_true", help="no files of trained networks")
    parser.add_argument("--within", type=Path, help="a workplace that is there; one process")
    asked = parser.parse_args()
    trained = not asked.untrained
    with tempfile.TemporaryDirectory() as place:
        if asked.within:
            found = fuzz(asked.within, asked.seed, asked.seconds, asked.cases, trained)
        else:
            plain = make_workplace(Path(place) / "w")
            whole = make_searched(plain, Path(place) / "t") if trained else plain
            found = fuzz_in_processes(whole, asked.seed, asked.seconds, asked.cases, trained)
    tell({"seed": asked.seed, "tried": found.tried} | vars(found), asked.to)


if __name__ == "__main__":
    command()
