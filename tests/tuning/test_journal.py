"""The journal of a search outlives kills and full disks."""

import contextlib
import json
import multiprocessing
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pytest

from ensemble_kit.core.errors import OutputError, SearchError
from ensemble_kit.core.records import Folds, ImageTable
from ensemble_kit.splits import make_folds
from ensemble_kit.tuning.journal import JOURNAL, JournalTurn
from ensemble_kit.tuning.losses import FoldLoss
from ensemble_kit.tuning.opening import SearchRequest, open_study
from ensemble_kit.tuning.storage import StoragePlace, open_storage
from ensemble_kit.tuning.trials import keep_losses, read_trials
from ensemble_kit.tuning.verifying import check_scores
from tests.chaos.faults import failing
from tests.tuning.bench import search, small_study, small_table

HOLDER = """
import sys, time
from pathlib import Path
from ensemble_kit.tuning.journal import JournalTurn
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


def test_a_search_ended_while_it_was_created_is_created_by_the_next(tmp_path: Path) -> None:
    """At every write of the creation, as a kill or a full disk ends it."""
    table = small_table(20)
    spec = small_study().override({"search": {"trials": 3}})
    folds = make_folds(table, 4, 0)[0]
    for n in range(1, 20):
        place = StoragePlace(tmp_path / str(n))
        request = SearchRequest("s", spec, place)
        with failing(n) as disk, contextlib.suppress(OutputError):
            open_study(request, table, folds)
        study = open_study(replace(request, resume=True), table, folds)
        trials = study.get_trials(deepcopy=False)
        assert [t.user_attrs["slot"] for t in trials] == [0, 1, 2], n
        assert trials[0].system_attrs["fixed_params"], "the study's own values come first"
        assert not trials[1].system_attrs["fixed_params"]
        if len(disk.written) < n:
            break
    assert n == 6, "the study, three trials, its identity"


@pytest.mark.parametrize("n", [11, 12, 13, 14, 15, 16, 17, 20, 31])
def test_a_disk_that_is_full_once_ends_the_search_and_spoils_no_trial(
    tmp_path: Path, n: int
) -> None:
    spec = small_study().override({"search": {"pruner": "none"}})
    with failing(n, once=True), pytest.raises(OutputError, match="disk is full"):
        search(tmp_path, spec)
    study, _ = search(tmp_path, spec, resume=True)
    trials = read_trials(study)
    assert [trial.state for trial in trials] == ["COMPLETE"] * 8
    assert any(trial.params["dropout"] == 0.2 and trial.params["head_lr"] == 1e-3
               for trial in trials), "the study's own values"  # fmt: skip


def test_several_commands_create_one_search_together(tmp_path: Path) -> None:
    """One was ended in the middle of it; of the next two, one of another study is refused."""
    table = small_table(20)
    spec = small_study().override({"search": {"trials": 12}})
    folds = make_folds(table, 4, 0)[0]
    request = SearchRequest("s", spec, StoragePlace(tmp_path), resume=True)
    with failing(4), contextlib.suppress(OutputError):
        open_study(request, table, folds)
    other = replace(request, spec=spec.override({"split": {"seed": 99}}))
    context = multiprocessing.get_context("spawn")
    with context.Pool(3) as pool:
        asked = [(one, table, folds) for one in (request, other, request)]
        said = pool.starmap(_opened, asked)
    assert sorted(said) == ["", "", "other settings"]
    study = optuna.load_study(study_name="s", storage=open_storage(StoragePlace(tmp_path)))
    slots = [trial.user_attrs["slot"] for trial in study.get_trials(deepcopy=False)]
    assert sorted(slots) == list(range(12))


def _opened(request: SearchRequest, table: ImageTable, folds: Folds) -> str:
    try:
        open_study(request, table, folds)
    except SearchError as error:
        return "other settings" if "asked in settings:" in str(error) else str(error)
    return ""


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda lines: lines * 2, "stands there twice"),
        (lambda lines: lines[::-1], "that no line before it creates"),
        (lambda lines: lines[1:], "of a study that no line before it creates"),
        (lambda lines: [x for x in lines if '"op_code":4' not in x], "of a trial that no line"),
        (lambda lines: [*lines, lines[-1]], "stands there twice"),
    ],
)
def test_lines_in_an_order_that_was_never_written_are_damage(
    study: optuna.Study, tmp_path: Path, spoil: Callable[[list[str]], list[str]], said: str
) -> None:
    study.tell(study.ask(), 0.5)
    journal = tmp_path / JOURNAL
    lines = journal.read_text().splitlines(keepends=True)
    assert numbers(tmp_path) == [0, 1]
    journal.write_text("".join(spoil(lines)))
    with pytest.raises(SearchError, match=said) as error:
        open_storage(StoragePlace(tmp_path))
    assert str(journal) in str(error.value)


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_a_journal_that_is_taken_away_ends_the_search(
    study: optuna.Study, tmp_path: Path, how: str
) -> None:
    journal = tmp_path / JOURNAL
    journal.rename(tmp_path / "elsewhere")
    if how == "replaced":
        journal.write_text("")
    with pytest.raises(SearchError, match="was removed, replaced or cut while the search"):
        study.enqueue_trial({"x": 3})
    assert not journal.exists() or not journal.stat().st_size


def test_a_journal_that_is_cut_while_it_is_read_is_damage(
    study: optuna.Study, tmp_path: Path
) -> None:
    journal = tmp_path / JOURNAL
    with journal.open("r+b") as file:
        file.truncate(3)
    with pytest.raises(SearchError, match=r"trials\.journal was removed, replaced or cut while"):
        study.enqueue_trial({"x": 3})


def test_bytes_that_are_no_text_are_named_so(study: optuna.Study, tmp_path: Path) -> None:
    journal = tmp_path / JOURNAL
    journal.write_bytes(journal.read_bytes() + b"\0\0garbage\n")
    with pytest.raises(SearchError, match="it is not text"):
        open_storage(StoragePlace(tmp_path))


def test_a_search_that_was_deleted_and_made_again_is_sound(
    study: optuna.Study, tmp_path: Path
) -> None:
    storage = open_storage(StoragePlace(tmp_path))
    optuna.delete_study(study_name="s", storage=storage)
    again = optuna.create_study(study_name="s", storage=storage)
    again.tell(again.ask(), 0.5)
    assert numbers(tmp_path) == [0]


def test_a_damaged_line_of_any_length_is_told_in_a_short_sentence(
    study: optuna.Study, tmp_path: Path
) -> None:
    line = {"op_code": 4, "worker_id": "a", "study_id": 0, "datetime_start": "z" * 2000}
    with (tmp_path / JOURNAL).open("a") as file:
        file.write(json.dumps(line) + "\n")
    with pytest.raises(SearchError, match="is damaged") as error:
        open_storage(StoragePlace(tmp_path))
    assert len(str(error.value)) < 400 + len(str(tmp_path))


@pytest.mark.parametrize("spoiled", ["losses_0_0", "rows"])
def test_damaged_losses_of_a_fold_are_told_of(tmp_path: Path, spoiled: str) -> None:
    made = optuna.create_study(study_name="s", storage=open_storage(StoragePlace(tmp_path)))
    trial = made.ask()
    loss = FoldLoss(0.5, np.zeros(2), 0 if spoiled == "rows" else 8)
    keep_losses(trial, 0, loss)
    if spoiled != "rows":
        trial.set_user_attr(spoiled, "AAAA")
    trial.set_user_attr("score", 0.5)
    trial.set_user_attr("folds", 1)
    made.tell(trial, 0.5)
    with pytest.raises(SearchError, match="trial 0 is damaged"):
        check_scores(made, "log_loss", StoragePlace(tmp_path))
