"""Commands that are ended at random moments: ``python -m tests.chaos.kills --times 100 --seed 1``.

After each: no process of theirs lives 5 s later; the same command again ends well, with the bytes
of one that nobody disturbed; no temporary file is left; stores verify.
"""

import random
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.commands import COMMANDS, Made
from tests.chaos.processes import disturb, leftovers, start, well
from tests.chaos.reporting import options, tell
from tests.chaos.workplace import make_trained, make_workplace

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
REPLACED_IF_ASKED = {"predict": "k.csv", "export": "k/bundle.json"}
"""Commands that replace what they made with ``--overwrite`` alone, also where the signal came after
the last write -> what is there then, whole."""
FILLS = 3.0
"""Seconds in which the stores of the small study are filled, about."""


def one(whole: Path, name: str, number: int, after: float, calm: Made) -> list[str]:
    """Disturb a command in a fresh copy, give it again, compare."""
    command = COMMANDS[name]
    with tempfile.TemporaryDirectory() as to:
        place = Path(shutil.copytree(whole, Path(to) / "w"))
        _, wrong = disturb(place, command.words, number, after, command.waits)
        again, whole_file = [*command.words], REPLACED_IF_ASKED.get(name)
        if whole_file is not None and (place / whole_file).exists():
            again.append("--overwrite")
        code, err = start(place, again).end()
        if code:
            return [*wrong, f"given again: exit code {code}: {err[-300:]}"]
        made = command.made(place)
        if made != calm:
            other = [key for key in {**made, **calm} if made.get(key) != calm.get(key)]
            wrong.append(f"given again it made other bytes: {other[:5]}")
        if left := leftovers(place):
            wrong.append(f"left behind: {left[:3]}")
        if (place / "store").is_dir():
            code, err = start(place, ["store", "verify", "--no-progress"]).end()
            if code:
                wrong.append(f"stores do not verify: {err[-200:]}")
        return wrong


def kill(number: int, seconds: float, times: int, names: Sequence[str]) -> dict[str, object]:
    """Disturb until the time or the number is used up."""
    stream, tried, failed = random.Random(number), Counter[str](), []
    end = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as to:
        plain = make_workplace(Path(to) / "plain")
        trained = any(COMMANDS[name].trained for name in names)
        whole = make_trained(plain, Path(to) / "trained") if trained else plain
        wholes = {name: whole if COMMANDS[name].trained else plain for name in names}
        calm, took = {}, {}
        for name in names:
            place = Path(shutil.copytree(wholes[name], Path(to) / "calm"))
            began = time.monotonic()
            well(place, COMMANDS[name].words)
            calm[name], took[name] = COMMANDS[name].made(place), time.monotonic() - began
            shutil.rmtree(place)
        turns: list[str] = []
        while time.monotonic() < end and sum(tried.values()) < times:
            turns = turns or stream.sample(list(names), len(names))
            name, sent = turns.pop(), stream.choice(SIGNALS)
            after = stream.uniform(0, FILLS if COMMANDS[name].waits else took[name] * 1.05)
            wrong = one(wholes[name], name, sent, after, calm[name])
            tried[f"{name} {sent.name}"] += 1
            if wrong:
                failed.append({"command": name, "signal": sent, "after": after, "wrong": wrong})
                print("FAILED", failed[-1], flush=True)
    return {"tried": sum(tried.values()), "by": dict(tried), "failed": failed,
            "seconds": {k: round(v, 1) for k, v in took.items()}}  # fmt: skip


def command() -> None:
    parser = options(__doc__)
    parser.add_argument("--times", type=int, default=1 << 30)
    parser.add_argument("--commands", nargs="*", default=list(COMMANDS))
    given = parser.parse_args()
    found = {"seed": given.seed} | kill(given.seed, given.seconds, given.times, given.commands)
    tell(found, given.to)


if __name__ == "__main__":
    command()
