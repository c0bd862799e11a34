"""Commands in processes of their own, everything they start, and what they leave behind."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
GRACE = 5.0
"""Seconds that a process may outlive the one that started it."""
ORDERLY = 60.0
"""Seconds in which a command asked to end does so, on a machine full of other work too: it may be
in the middle of loading a framework."""
MARK = "CHAOS_MARK"
LONGEST = 1800.0
"""Seconds after which a command is taken to wait for ever."""


@dataclass(frozen=True)
class Started:
    process: "subprocess.Popen[str]"
    mark: str

    def end(self) -> tuple[int, str]:
        """The exit code and what was said, or -1 where it does not end; then it is killed."""
        try:
            _, err = self.process.communicate(timeout=LONGEST)
        except subprocess.TimeoutExpired:
            for pid in alive(self.mark):
                os.kill(pid, signal.SIGKILL)
            _, err = self.process.communicate()
            return -1, f"it does not end; {err[-200:]}"
        return self.process.returncode, err


def _heard() -> None:
    """Signals end the process also where who runs the tests ignores them (``nohup``)."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def start(place: Path, words: Sequence[str], more: Mapping[str, str] | None = None) -> Started:
    """A command of its own process in a place. more : of its environment."""
    mark = uuid.uuid4().hex
    environment = os.environ | {"PYTHONPATH": str(ROOT), MARK: mark, "OMP_NUM_THREADS": "1"}
    environment |= more or {}
    process = subprocess.Popen(
        [sys.executable, "-m", "ensemble_kit.cli", *words], cwd=place, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        preexec_fn=_heard,
    )  # fmt: skip
    return Started(process, mark)


def well(place: Path, words: Sequence[str]) -> None:
    """Give a command that must end well."""
    code, err = start(place, words).end()
    assert code == 0, (words, err[-500:])


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


def disturb(
    place: Path, words: Sequence[str], number: int, after: float, waits: str = ""
) -> tuple[int, list[str]]:
    """Send a signal ``after`` seconds, counted from the first file like ``waits``; the exit code
    and what was wrong about the end."""
    started = start(place, words)
    while waits and started.process.poll() is None and not any(place.glob(waits)):
        time.sleep(0.005)
    time.sleep(after)
    started.process.send_signal(number)
    wrong = []
    try:
        started.process.wait(ORDERLY)
    except subprocess.TimeoutExpired:
        wrong.append(f"it lives {ORDERLY:.0f} s after signal {number}")
    gone = time.monotonic()
    while time.monotonic() - gone < GRACE and alive(started.mark):
        time.sleep(0.1)
    if left := alive(started.mark):
        wrong.append(f"{len(left)} processes live {GRACE:.0f} s longer than it")
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


def leftovers(place: Path) -> list[str]:
    """Temporary files and folders, locks aside."""
    hidden = [
        path for path in place.rglob(".*")
        if path.suffix != ".lock" and path.name not in (".in-use", ".lock")
    ]  # fmt: skip
    events = [*place.glob("store/events"), *place.rglob("*-part-*")]
    return [str(path.relative_to(place)) for path in (*hidden, *events)]
