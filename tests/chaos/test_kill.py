"""Processes end with the command that started them; what was begun is gone on with."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.chaos.kills import kill
from tests.chaos.processes import GRACE, alive, start

ROOT = Path(__file__).parents[2]
CHILD = """
import os, sys, time
from ensemble_kit.core.orphans import end_with
print(os.getpid(), flush=True)
time.sleep(float(sys.argv[2]))
end_with(int(sys.argv[1]))
time.sleep(60)
"""
PARENT = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", {child!r}, str(os.getpid()), {wait!r}])
time.sleep(60)
"""


@pytest.mark.parametrize("wait", ["0", "1.5"])
def test_a_process_ends_with_its_parent_also_where_that_went_first(wait: str) -> None:
    """wait : seconds before the child looks; the parent is gone by then in the second case."""
    code = PARENT.format(child=CHILD, wait=wait)
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    if wait == "0":
        time.sleep(0.5)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    gone = time.monotonic() + GRACE + float(wait)
    while _lives(child) and time.monotonic() < gone:
        time.sleep(0.05)
    assert not _lives(child)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_with_a_sentence(place: Path, number: int) -> None:
    started = start(
        place, ["evaluate", "--predictions", "a.csv", "--name", "fresh", "--replicates", "100000"]
    )
    time.sleep(0.2)
    while not Path(f"/proc/{started.process.pid}/status").exists():
        time.sleep(0.05)
    _until_it_listens(started.process.pid)
    started.process.send_signal(number)
    _, err = started.process.communicate(timeout=60)
    assert started.process.returncode == (130 if number == signal.SIGINT else 128 + number)
    assert "what was finished is kept" in err.splitlines()[-1]
    assert "Traceback" not in err
    assert not alive(started.mark)


def _until_it_listens(pid: int) -> None:
    """Wait until the process has a handler for SIGTERM."""
    bit = 1 << (signal.SIGTERM - 1)
    for _ in range(1200):
        status = Path(f"/proc/{pid}/status").read_text()
        caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
        if int(caught.split()[1], 16) & bit:
            time.sleep(0.5)
            return
        time.sleep(0.05)
    raise AssertionError("it never listened")


@pytest.mark.slow
def test_killed_while_it_writes_and_given_again(made: Path, tmp_path: Path) -> None:
    """The new run takes the place of the old one whole, or not at all."""
    found = kill(7, seconds=60, times=4, names=["evaluate", "report"])
    assert not found["failed"], found["failed"]
