"""Two commands at once on one run, study, store or file: ``python -m tests.chaos.pairs --seed 1``.

Rule: each ends with exit code 0, or with 2 and one sentence; then the first command, given again
where it was refused, makes what it makes alone; the run's files are those its manifest names.
"""

import json
import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.commands import COMMANDS, Made
from tests.chaos.processes import leftovers, start, well
from tests.chaos.reporting import options, tell
from tests.chaos.workplace import make_trained, make_workplace

REPORT = ("report", "k", "--out", "k.html")
MANY = ("--replicates", "200", "-q")


@dataclass(frozen=True)
class Pair:
    """first : a name in COMMANDS, judged at the end. second : words given beside it. again : added
    to the first where it is given again."""

    first: str
    second: Sequence[str]
    again: Sequence[str] = ()


PAIRS: Mapping[str, Pair] = {
    "cv + cv": Pair("cv", COMMANDS["cv"].words),
    "cv + cv, one store": Pair("store fill", ["o" if w == "k" else w for w in
                                              COMMANDS["cv"].words]),
    "cv + report": Pair("cv", REPORT),
    "cv + store prune": Pair("cv", ("store", "prune", "--all")),
    "cv + store verify": Pair("cv", ("store", "verify", "--no-progress")),
    "cv + runs rm": Pair("cv", ("runs", "rm", "k", "--yes")),
    "cv + evaluate": Pair("cv", ("evaluate", "--predictions", "a.csv", "--name", "k", *MANY),
                          ("--overwrite",)),
    "tables + tables": Pair("cv of features", COMMANDS["cv of features"].words),
    "tables + runs rm": Pair("cv of features", ("runs", "rm", "k", "--yes")),
    "tune + tune": Pair("tune", COMMANDS["tune"].words),
    "evaluate + evaluate --overwrite": Pair(
        "evaluate", (*COMMANDS["evaluate"].words, "--overwrite"), ("--overwrite",)),
    "evaluate + other evaluate": Pair(
        "evaluate", ("evaluate", "--predictions", "b.csv", "--name", "k", *MANY),
        ("--overwrite",)),
    "ensemble + ensemble --overwrite": Pair(
        "ensemble", (*COMMANDS["ensemble"].words, "--overwrite"), ("--overwrite",)),
    "report + report": Pair("report", COMMANDS["report"].words),
    "predict + predict": Pair("predict", COMMANDS["predict"].words, ("--overwrite",)),
    "export + export": Pair("export", COMMANDS["export"].words, ("--overwrite",)),
    "validate + validate": Pair("validate", COMMANDS["validate"].words),
    "explain + check --run": Pair("explain", ("check", "--run", "t", "-q")),
}  # fmt: skip


def together(place: Path, pair: Pair, offset: float) -> list[str]:
    """Give both, the second ``offset`` seconds after the first (before it, if negative)."""
    words = [COMMANDS[pair.first].words, pair.second]
    one = start(place, words[offset < 0])
    time.sleep(abs(offset))
    two = start(place, words[offset >= 0])
    wrong, refused = [], False
    for number, started in ((offset < 0, one), (offset >= 0, two)):
        code, err = started.end()
        said = [line for line in err.splitlines() if line.startswith("error: ")]
        damaged = "store verify" in " ".join(words[number]) and code == 2
        if code not in (0, 2) or (code == 2 and len(said) != 1 and not damaged):
            wrong.append(f"{words[number][0]}: exit code {code}: {err[-300:]}")
        if "Traceback" in err:
            wrong.append(f"{words[number][0]}: a traceback")
        refused |= not number and code == 2
    return wrong + _judged(place, pair, refused)


def _judged(place: Path, pair: Pair, refused: bool) -> list[str]:
    command = COMMANDS[pair.first]
    gone = "rm" in pair.second or "evaluate" in pair.second[:1]
    if refused or gone:
        code, err = start(place, [*command.words, *pair.again]).end()
        if code:
            return [f"given again: exit code {code}: {err[-300:]}"]
    wrong = []
    if left := leftovers(place):
        wrong.append(f"left behind: {left[:3]}")
    run = "t" if pair.first == "explain" else "k"
    if (place / "runs" / run).is_dir():
        code, err = start(place, ["report", run, "--out", "page.html"]).end()
        if code:
            wrong.append(f"the run is not as it was written: {err[-300:]}")
    if (place / "store").is_dir():
        code, err = start(place, ["store", "verify", "--no-progress"]).end()
        if code:
            wrong.append(f"stores do not verify: {err[-200:]}")
    return wrong


def pair_up(number: int, seconds: float, times: int, names: Sequence[str]) -> dict[str, object]:
    """Give pairs until the time or the number is used up."""
    stream, tried, failed = random.Random(number), Counter[str](), []
    calm: dict[str, Made] = {}
    took: dict[str, float] = {}
    end = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as to:
        plain = make_workplace(Path(to) / "plain")
        firsts = [PAIRS[name].first for name in names]
        trained = any(COMMANDS[first].trained for first in firsts)
        whole = make_trained(plain, Path(to) / "trained") if trained else plain
        queue: list[str] = []
        while time.monotonic() < end and sum(tried.values()) < times:
            queue = queue or stream.sample(list(names), len(names))
            name = queue.pop()
            pair, command = PAIRS[name], COMMANDS[PAIRS[name].first]
            with tempfile.TemporaryDirectory() as there:
                place = Path(shutil.copytree(whole if command.trained else plain,
                                             Path(there) / "w"))  # fmt: skip
                if pair.first not in calm:
                    quiet = Path(shutil.copytree(place, Path(there) / "calm"))
                    began = time.monotonic()
                    well(quiet, command.words)
                    calm[pair.first] = command.made(quiet)
                    took[pair.first] = time.monotonic() - began
                offset = stream.uniform(-0.5, took[pair.first])
                wrong = together(place, pair, offset)
                if not wrong:
                    wrong = compared(name, calm[pair.first], command.made(place))
            tried[name] += 1
            if wrong:
                failed.append({"pair": name, "offset": offset, "wrong": wrong})
                print("FAILED", failed[-1], flush=True)
    return {"tried": sum(tried.values()), "by": dict(tried), "failed": failed}


def compared(name: str, calm: Made, made: Made) -> list[str]:
    """What the pair made against what the first makes alone.

    Of two evaluations whoever was first has the name and the other is refused. Trials that two
    workers draw side by side are not those of one alone: but there are as many, and the study's
    own values are among them with the same score.
    """
    if name == "evaluate + other evaluate":
        return [] if made.keys() == calm.keys() else [f"it made {sorted(made)}"]
    if name == "tune + tune":
        alone, both = (json.loads(str(found["trials"])) for found in (calm, made))
        own = [trial for trial in alone if trial in both]
        return [] if len(both) == len(alone) and own else [f"{both} in place of {alone}"]
    other = [key for key in {**calm, **made} if calm.get(key) != made.get(key)]
    return [f"it made other bytes than alone: {sorted(other)}"] if other else []


def command() -> None:
    parser = options(__doc__)
    parser.add_argument("--times", type=int, default=1 << 30)
    parser.add_argument("--pairs", nargs="*", default=list(PAIRS))
    given = parser.parse_args()
    found = {"seed": given.seed} | pair_up(given.seed, given.seconds, given.times, given.pairs)
    tell(found, given.to)


if __name__ == "__main__":
    command()
