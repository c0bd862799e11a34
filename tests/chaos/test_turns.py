"""Commands at once: each has its turn or is refused; what the dead left is removed."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from filelock import FileLock

from ensemble_kit.core.errors import RunError
from ensemble_kit.core.folders import begun, named_by_process, remove_those_of_the_dead
from ensemble_kit.core.turns import hold
from ensemble_kit.runs.manifest import read_manifest, record_files
from ensemble_kit.runs.paths import run_lock
from ensemble_kit.runs.replacing import whole_folder
from ensemble_kit.workflows.resuming import remove_run
from tests.chaos.faults import failing
from tests.chaos.giving import give
from tests.chaos.test_full_disk import CV

PREDICT = ("predict", "f", "--features", "features.npz", "--out", "out/p.csv", "--batch-size", "2",
           "-q")  # fmt: skip


@pytest.fixture(scope="module")
def dead() -> int:
    """The id of a process that is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_one_process_at_a_time_predicts_into_a_file(place: Path) -> None:
    partial = place / "out/.p.csv.partial"
    partial.parent.mkdir()
    with partial.open("a") as other:
        hold(other.fileno())
        refused = give(place, PREDICT)
    assert refused.code == 2
    assert "another process is predicting into out/p.csv" in refused.error
    assert partial.read_bytes() == b""
    assert give(place, PREDICT).code == 0
    assert not partial.exists()


@pytest.mark.parametrize("cut", [0, 40])
def test_rows_of_an_interrupted_prediction_are_kept_as_far_as_they_are_whole(
    place: Path, cut: int
) -> None:
    assert give(place, PREDICT).code == 0
    whole = (place / "out/p.csv").read_bytes()
    shutil.rmtree(place / "out")
    with failing(6):
        assert give(place, PREDICT).code == 2
    partial = place / "out/.p.csv.partial"
    kept = partial.read_bytes()
    assert kept.count(b"\n") > 3
    partial.write_bytes(kept[: len(kept) - cut])
    assert give(place, PREDICT).code == 0
    assert (place / "out/p.csv").read_bytes() == whole
    shutil.rmtree(place / "out")
    with failing(6):
        assert give(place, PREDICT).code == 2
    assert partial.read_bytes().count(b'"done": 4') == 1
    partial.write_bytes(partial.read_bytes().replace(b'"done": 4', b'"dene": 4'))
    assert give(place, PREDICT).code == 0
    assert (place / "out/p.csv").read_bytes() == whole
    partial.write_bytes(b"\x1eanother call\nI00,0.5,0.5,0,bkl,bkl,0,0\n\x1e{")
    assert give(place, [*PREDICT, "--overwrite"]).code == 0
    assert (place / "out/p.csv").read_bytes() == whole


def test_no_file_is_lost_where_two_commands_record_theirs(place: Path) -> None:
    folder = place / "runs/a"
    names = [f"extra{i}.csv" for i in range(40)]
    for name in names:
        (folder / name).write_text(name)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: record_files(folder, [name]), names))
    assert set(names) <= set(read_manifest(folder).files)


def test_a_run_that_came_meanwhile_stays(place: Path) -> None:
    folder = place / "runs/new"

    def check() -> None:
        if folder.exists():
            raise RunError("there is one")

    def both() -> None:
        with whole_folder(folder, check) as fresh:
            shutil.copytree(place / "runs/b", fresh, dirs_exist_ok=True)
            shutil.copytree(place / "runs/a", folder)

    with pytest.raises(RunError, match="there is one"):
        both()
    assert read_manifest(folder).name == "a"
    assert not list(folder.parent.glob(".new.*"))


def test_evaluate_takes_no_name_that_another_took_meanwhile(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ensemble_kit.workflows import evaluation

    compute = evaluation.evaluate_table

    def slow(*given: object, **more: object) -> object:
        monkeypatch.undo()
        shutil.copytree(place / "runs/b", place / "runs/x")
        return compute(*given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(evaluation, "evaluate_table", slow)
    refused = give(place, ["evaluate", "--predictions", "a.csv", "--name", "x", "--replicates",
                           "20", "-q"])  # fmt: skip
    assert refused.code == 2, refused
    assert "is there already and differs in" in refused.error
    assert read_manifest(place / "runs/x").name == "b"


def test_cv_holds_its_run_to_the_end(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ensemble_kit.workflows import cross_validation

    complete = cross_validation._complete
    held = []

    def watched(folder: Path, *given: object) -> None:
        lock = FileLock(run_lock(folder), timeout=0)
        try:
            with lock:
                held.append(False)
        except TimeoutError:
            held.append(True)
        complete(folder, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(cross_validation, "_complete", watched)
    assert give(place, CV).code == 0
    assert held == [True]


def test_folders_of_dead_processes_go_and_those_of_others_stay(tmp_path: Path, dead: int) -> None:
    mine = tmp_path / named_by_process("run")
    left = tmp_path / mine.name.replace(str(os.getpid()), str(dead))
    others = [tmp_path / f"run-elsewhere-{dead}", tmp_path / f"run-{dead}", tmp_path / "run-1"]
    living = tmp_path / mine.name.replace(str(os.getpid()), str(os.getppid()))
    for folder in (mine, left, living, *others):
        folder.mkdir()
    remove_those_of_the_dead(mine)
    assert not left.exists()
    assert all(folder.is_dir() for folder in (mine, living, *others))


def test_what_a_killed_process_began_is_removed(tmp_path: Path, dead: int) -> None:
    (tmp_path / f".x.{dead}.making").mkdir()
    (tmp_path / f".x.{dead}.replaced").mkdir()
    (tmp_path / f".x.{dead}.replaced/old").write_text("kept")
    with begun(tmp_path / "x") as fresh:
        assert (tmp_path / "x/old").read_text() == "kept"
        (fresh / "new").write_text("new")
    assert [p.name for p in tmp_path.iterdir()] == ["x"]
    assert [p.name for p in (tmp_path / "x").iterdir()] == ["new"]


def test_a_run_half_removed_is_removed_by_the_next(tmp_path: Path) -> None:
    (tmp_path / ".x.removed").mkdir()
    remove_run(tmp_path / "x")
    assert not list(tmp_path.iterdir())
