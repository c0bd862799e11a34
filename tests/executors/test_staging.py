"""Folds on workers that see none of the command's folders: the same bytes, and nothing opened."""

import json
import os
import signal
from pathlib import Path

import pytest

from tests.executors.clusters import dask_cluster, wait_until
from tests.executors.giving import BEGUN, LONGEST, Driver, command, cv, give
from tests.executors.test_search import STUDY

pytest.importorskip("keras")
pytestmark = pytest.mark.timeout(3 * LONGEST)

FORBIDDING = """
import os, sys
def forbid(event, arguments):
    for path in arguments[:1] if event in {"open", "os.listdir", "os.scandir", "os.mkdir"} else ():
        if isinstance(path, (str, os.PathLike)) and os.path.abspath(path).startswith(HIDDEN):
            if os.path.abspath(path) != HIDDEN:  # which Ray lists, for it is in its path of modules
                with open(LOG, "a") as log:
                    log.write(f"{event} {path}\\n")
            raise FileNotFoundError(2, "no such file on this machine", path)
HIDDEN, LOG = %r, %r
sys.addaudithook(forbid)
"""


@pytest.fixture
def elsewhere(place, tmp_path):
    """Variables of workers for which the command's folder is not there, and the log of tries."""
    folder, log = tmp_path / "hook", tmp_path / "opened.log"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(FORBIDDING % (str(place), str(log)))
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    return {"PYTHONPATH": path, "SCRATCH": str(tmp_path / "both")}, log


def files(stage: Path, name: str) -> list[Path]:
    return [path for path in stage.rglob("*") if name in path.name]


def test_folds_without_a_shared_folder(place, local, tmp_path, begin, executor, elsewhere):
    variables, log = elsewhere
    second = {"SCRATCH": str(tmp_path / "second")}
    name = f"staged-{executor}"
    words = cv("--run", name, "--store", f"store-{name}", "--stage", "--stage-dir", "$SCRATCH/ek")
    with (
        begin(tmp_path, second, variables) as cluster,
        Driver(place, [*words, *cluster.side_by_side]) as driver,
    ):
        driver.wait_for(BEGUN.format(1))
        cluster.trainers()[0].send_signal(signal.SIGKILL)
        assert driver.ended() == 0, driver.said
        wait_until(lambda: not cluster.trainers(), 120)
    assert (place / "runs" / name / "oof.csv").read_bytes() == local
    assert not log.exists(), log.read_text()
    stages = [p / "ek" for p in (tmp_path / "both", tmp_path / "second") if p.exists()]
    assert len(stages) == {"dask": 2, "ray": 1}[executor]
    for stage in stages:
        assert files(stage, "pixels.u8.sha256")
        assert files(stage, "view_1.json")  # computed there: the command had none
        assert not files(stage, ".part")
        assert not list((stage / "folds").iterdir())
    assert not (place / f"store-{name}/activations").exists()
    assert not (place / f"store-{name}/events").exists()
    folder = place / "runs" / name / "fold_0"
    assert {p.name for p in folder.iterdir()} >= {"done.json", "model.keras", "history.csv"}
    assert not list(folder.glob(".*.part"))


def test_activations_that_the_command_has_are_fetched(place, local, tmp_path, begin, elsewhere):
    variables, log = elsewhere
    words = cv("--run", "fetched", "--stage", "--stage-dir", "$SCRATCH", "--overwrite")
    with begin(tmp_path, {}, variables) as cluster:
        done = give(place, [*words, *cluster.side_by_side])
        assert done.returncode == 0, done.stderr
    assert (place / "runs/fetched/oof.csv").read_bytes() == local
    assert not log.exists(), log.read_text()
    assert files(tmp_path / "both", "view_1.high.float16.sha256")
    assert not files(tmp_path / "both", "fill.jsonl")


@pytest.mark.dask
def test_a_search_without_a_shared_folder(place, tmp_path, elsewhere):
    pytest.importorskip("distributed")
    variables, log = elsewhere
    (place / "squares.toml").write_text(STUDY, encoding="utf-8")
    words = command("tune", "--study", "squares.toml", "--name", "staged", "--pruner", "median",
                    "--stage", "--stage-dir", "$SCRATCH")  # fmt: skip
    with dask_cluster(tmp_path, {}, variables) as cluster:
        done = give(place, [*words, *cluster.side_by_side])
        assert done.returncode == 0, done.stderr
    assert not log.exists(), log.read_text()
    trials = json.loads((place / "studies/store/staged/tuning.json").read_text())["trials"]
    assert len(trials) == 8
    assert any(t["state"] == "PRUNED" and t["pruned_after"] == 0 for t in trials)


def test_a_worker_that_does_not_reach_the_command_is_named(place, tmp_path, begin):
    """The address that workers are told is one where nobody listens, as behind a firewall."""
    other = (
        "import ensemble_kit.training.workers as w; from dataclasses import replace; "
        "real = w.Terms; "
        "w.Terms = lambda *a, stage, **k: real(*a, stage=replace(stage, port=9), **k); "
    )
    with begin(tmp_path) as cluster:
        done = give(place, cv("--run", "refused", "--stage", *cluster.options, before=other))
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "does not reach this command at 127.0.0.1:9 (connection refused)" in done.stderr
    assert not (place / "runs/refused").exists()
