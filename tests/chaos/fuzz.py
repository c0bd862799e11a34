"""Damaged files without end: ``python -m tests.chaos.fuzz --seconds 600 --seed 1``.

Prints each new kind of failure once, with the trial that makes it, and the counts at the end.
"""

import re
import resource
import tempfile
import time
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.chaos.mutations import Mutation, mutations
from tests.chaos.reporting import options, tell
from tests.chaos.trials import Trial, attempt, choices
from tests.chaos.workplace import make_searched, make_workplace

A_BATCH = 50


def fuzz(
    folder: Path, number: int, seconds: float, cases: int = 1 << 30, trained: bool = False
) -> dict[str, object]:
    """Try until the time or the number of cases is used up; what was tried and what failed."""
    tried: Counter[str] = Counter()
    failed: dict[str, dict[str, object]] = {}
    end, batch = time.monotonic() + seconds, 0
    slowest = 0.0

    def one(chosen: tuple[str, tuple[str, ...]], damage: list[Mutation]) -> None:
        nonlocal slowest
        if time.monotonic() > end or sum(tried.values()) >= cases:
            return
        trial = Trial(chosen[0], chosen[1], tuple(damage))
        outcome, found = attempt(folder, trial)
        slowest = max(slowest, outcome.seconds)
        tried[trial.file] += 1
        for fault in found:
            kind = f"{trial.words[0]} {trial.file}: {re.sub(r'[0-9]+', '#', fault)[:90]}"
            if kind not in failed:
                failed[kind] = {"fault": fault, "trial": repr(trial)[:2000], "times": 0}
                print("FAILED", fault, "\n   ", repr(trial)[:600], flush=True)
            failed[kind]["times"] = int(str(failed[kind]["times"])) + 1

    while time.monotonic() < end and sum(tried.values()) < cases:
        run = settings(
            max_examples=A_BATCH, database=None, deadline=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )(given(st.sampled_from(choices(trained)), mutations)(one))  # fmt: skip
        seed(number * 1_000_003 + batch)(run)()
        batch += 1
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "seed": number, "tried": sum(tried.values()), "by_file": dict(tried),
        "failed": failed, "slowest_seconds": round(slowest, 1), "peak_bytes": peak,
    }  # fmt: skip


def command() -> None:
    parser = options(__doc__)
    parser.add_argument("--cases", type=int, default=1 << 30)
    parser.add_argument("--untrained", action="store_true", help="no files of trained networks")
    given_ = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        plain = make_workplace(Path(place) / "w")
        whole = plain if given_.untrained else make_searched(plain, Path(place) / "t")
        found = fuzz(whole, given_.seed, given_.seconds, given_.cases, trained=not given_.untrained)
    tell(found, given_.to)


if __name__ == "__main__":
    command()
