"""Commands that are ended at random moments: ``python -m tests.chaos.kills --times 100 --seed 1``.

After each: no process of theirs lives 5 s later; the same command again ends well, with the bytes
of one that nobody disturbed; no temporary file is left; stores verify.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.workplace import make_workplace

ROOT = Path(__file__).parents[2]
GRACE = 5.0
MARK = "CHAOS_MARK"
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
CV = ("cv", "--study", "study.toml", "--run", "k", "--head-epochs", "2", "--fine-tune-epochs", "1",
      "--unfreeze-depth", "1", "--batch-size", "8", "-q")  # fmt: skip
COMMANDS: dict[str, Sequence[str]] = {
    "cv": CV,
    "evaluate": ("evaluate", "--predictions", "a.csv", "--name", "k", "-q", "--replicates", "200"),
    "ensemble": ("ensemble", "a.csv", "b.csv", "--folds-file", "folds.csv", "--name", "k", "-q",
                 "--replicates", "200"),
    "report": ("report", "a", "--out", "k.html"),
}  # fmt: skip
SAME = ("oof.csv", "folds.csv", "images.csv", "metrics.csv", "curves.json", "probe.csv", "sets.csv")
"""Files that do not tell the time."""


@dataclass(frozen=True)
class Started:
    process: "subprocess.Popen[str]"
    mark: str


def start(place: Path, words: Sequence[str]) -> Started:
    mark = uuid.uuid4().hex
    environment = os.environ | {"PYTHONPATH": str(ROOT), MARK: mark, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "ensemble_kit.cli", *words], cwd=place, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    return Started(process, mark)


def alive(mark: str) -> list[int]:
    """Processes that were started, by whatever way, with this mark in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"{MARK}={mark}".encode() in (folder / "environ").read_bytes() and (
                (folder / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
            ):
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def disturb(place: Path, words: Sequence[str], number: int, after: float) -> tuple[int, list[str]]:
    """Send a signal ``after`` seconds; the exit code and what was wrong about the end."""
    started = start(place, words)
    time.sleep(after)
    started.process.send_signal(number)
    sent = time.monotonic()
    while time.monotonic() - sent < GRACE and (left := alive(started.mark)):
        time.sleep(0.1)
    wrong = []
    if left := alive(started.mark):
        wrong.append(f"{len(left)} processes live {GRACE:.0f} s after signal {number}")
        for pid in left:
            os.kill(pid, signal.SIGKILL)
    _, err = started.process.communicate()
    code = started.process.returncode
    said = [line for line in err.splitlines() if line.startswith("error: ")]
    if number != signal.SIGKILL and code not in (0, -number) and not said:
        wrong.append(f"exit code {code} without a sentence: {err[-200:]}")
    if "Traceback" in err:
        wrong.append("a traceback")
    return code, wrong


def contents(place: Path, words: Sequence[str]) -> dict[str, bytes]:
    if words[0] == "report":
        return {"k.html": (place / "k.html").read_bytes()}
    folder = place / "runs/k"
    return {name: (folder / name).read_bytes() for name in SAME if (folder / name).is_file()}


def leftovers(place: Path) -> list[str]:
    """Temporary files and folders, locks aside."""
    places = [place / "runs", place / "reports", place / "store"]
    return [
        str(path.relative_to(place))
        for folder in places
        for path in folder.rglob(".*")
        if path.suffix != ".lock" and path.name not in (".in-use", ".lock")
    ]


def one(whole: Path, name: str, number: int, after: float, calm: dict[str, bytes]) -> list[str]:
    """Disturb a command in a fresh copy, give it again, compare."""
    words = COMMANDS[name]
    with tempfile.TemporaryDirectory() as to:
        place = Path(shutil.copytree(whole, Path(to) / "w"))
        _, wrong = disturb(place, words, number, after)
        again = start(place, words)
        _, err = again.process.communicate()
        if again.process.returncode:
            return [*wrong, f"given again: exit code {again.process.returncode}: {err[-300:]}"]
        if contents(place, words) != calm:
            wrong.append("given again it made other bytes")
        if left := leftovers(place):
            wrong.append(f"left behind: {left[:3]}")
        if name == "cv":
            verify = start(place, ["store", "verify", "--no-progress"])
            _, err = verify.process.communicate()
            if verify.process.returncode:
                wrong.append(f"stores do not verify: {err[-200:]}")
        return wrong


def kill(number: int, seconds: float, times: int, names: Sequence[str]) -> dict[str, object]:
    """Disturb until the time or the number is used up."""
    stream, tried, failed = random.Random(number), Counter[str](), []
    end = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as to:
        whole = make_workplace(Path(to) / "whole")
        calm, took = {}, {}
        for name in names:
            place = Path(shutil.copytree(whole, Path(to) / name))
            began = time.monotonic()
            _, err = (started := start(place, COMMANDS[name])).process.communicate()
            assert started.process.returncode == 0, err
            calm[name], took[name] = contents(place, COMMANDS[name]), time.monotonic() - began
        while time.monotonic() < end and sum(tried.values()) < times:
            name, number = stream.choice(names), stream.choice(SIGNALS)
            after = stream.uniform(0, took[name] * 1.05)
            wrong = one(whole, name, number, after, calm[name])
            tried[f"{name} {signal.Signals(number).name}"] += 1
            if wrong:
                failed.append({"command": name, "signal": number, "after": after, "wrong": wrong})
                print("FAILED", failed[-1], flush=True)
    return {"tried": sum(tried.values()), "by": dict(tried), "failed": failed,
            "seconds": {k: round(v, 1) for k, v in took.items()}}  # fmt: skip


def command() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--times", type=int, default=1 << 30)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--commands", nargs="*", default=list(COMMANDS))
    parser.add_argument("--to", type=Path)
    given = parser.parse_args()
    found = {"seed": given.seed} | kill(given.seed, given.seconds, given.times, given.commands)
    text = json.dumps(found, indent=1)
    if given.to:
        given.to.write_text(text)
    print(text)


if __name__ == "__main__":
    command()
