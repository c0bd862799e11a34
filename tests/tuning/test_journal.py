"""The journal of a search outlives kills and full disks."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest

from ensemble_kit.tuning.storage import JOURNAL, JournalTurn, StoragePlace, open_storage

HOLDER = """
import sys, time
from pathlib import Path
from ensemble_kit.tuning.storage import JournalTurn
JournalTurn(Path(sys.argv[1])).acquire()
print("held", flush=True)
time.sleep(60)
"""


def numbers(folder: Path) -> list[int]:
    study = optuna.load_study(study_name="s", storage=open_storage(StoragePlace(folder)))
    return [trial.number for trial in study.get_trials(deepcopy=False)]


@pytest.fixture
def study(tmp_path: Path) -> optuna.Study:
    made = optuna.create_study(study_name="s", storage=open_storage(StoragePlace(tmp_path)))
    made.enqueue_trial({"x": 1})
    made.enqueue_trial({"x": 2})
    return made


@pytest.mark.parametrize("cut", [1, 30])
def test_a_line_that_was_cut_off_does_not_spoil_what_is_appended(
    study: optuna.Study, tmp_path: Path, cut: int
) -> None:
    journal = tmp_path / JOURNAL
    journal.write_bytes(journal.read_bytes()[:-cut])
    assert numbers(tmp_path) == [0]
    again = optuna.load_study(study_name="s", storage=open_storage(StoragePlace(tmp_path)))
    again.enqueue_trial({"x": 3})
    assert numbers(tmp_path) == [0, 1]
    assert journal.read_bytes().endswith(b"\n")


def test_a_longer_line_than_is_read_at_once(study: optuna.Study, tmp_path: Path) -> None:
    journal = tmp_path / JOURNAL
    whole = journal.read_bytes()
    journal.write_bytes(whole + b"x" * 200_000)
    with_turn = JournalTurn(journal)
    assert with_turn.acquire()
    with_turn.release()
    assert journal.read_bytes() == whole


def test_nobody_waits_for_a_dead_holder(study: optuna.Study, tmp_path: Path) -> None:
    journal = tmp_path / JOURNAL
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(journal)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    (tmp_path / f"{JOURNAL}.lock").symlink_to("elsewhere")  # as Optuna's own lock would be left
    began = time.monotonic()
    study.enqueue_trial({"x": 3})
    assert time.monotonic() - began < 10
    assert numbers(tmp_path) == [0, 1, 2]
