"""`runs`: what there is, one of them, removing; damaged and foreign folders are named, not lost."""

import json
import shutil
from pathlib import Path

import pytest
from filelock import FileLock
from typer.testing import CliRunner

from ensemble_kit.cli.app import app
from ensemble_kit.core.errors import RunError
from ensemble_kit.runs.paths import run_lock
from ensemble_kit.workflows.run_listing import remove_runs

GOLDEN = Path(__file__).parents[1] / "golden" / "run-v1"


@pytest.fixture
def place(tmp_path):
    for name in ("evaluated", "trained", "ensembled"):
        shutil.copytree(GOLDEN / name, tmp_path / name)
    return tmp_path


def said(*words):
    done = CliRunner().invoke(app, ["runs", *map(str, words)], env={"COLUMNS": "100"})
    return done


def test_a_row_a_run_with_figures_and_size(place):
    text = said("--runs-dir", place).output
    for name in ("evaluated", "trained", "ensembled"):
        assert any(line.startswith(name) for line in text.splitlines())
    listed = json.loads(said("--runs-dir", place, "--json").output)
    assert len(listed["runs"]) == 3
    sizes = {run["name"]: run["bytes"] for run in listed["runs"]}
    whole = sum(p.stat().st_size for p in (place / "trained").rglob("*") if p.is_file())
    assert sizes["trained"] == whole
    assert all(0 <= run["figures"]["accuracy"]["value"] <= 1 for run in listed["runs"])


def test_a_damaged_run_is_listed_and_named(place):
    (place / "trained" / "manifest.json").write_text("[" * 10_000)
    done = said("--runs-dir", place)
    assert done.exit_code == 0
    assert "damaged" in done.output
    assert "manifest.json" in done.output


def test_no_runs(tmp_path):
    assert "no runs in" in said("--runs-dir", tmp_path / "none").output


def test_one_run(place):
    text = said("show", "trained", "--runs-dir", place).output
    assert "cv, " in next(line for line in text.splitlines() if line.startswith("made by"))
    assert "classes" in text
    assert "accuracy" in text


def test_removing_takes_what_was_named_and_nothing_else(place):
    done = said("rm", "trained", "evaluated", "--yes", "--runs-dir", place)
    assert done.exit_code == 0
    assert sorted(p.name for p in place.iterdir() if p.is_dir()) == ["ensembled"]


def test_nothing_is_removed_where_a_name_is_unknown_or_nobody_was_asked(place):
    with pytest.raises(RunError, match="no run named x"):
        remove_runs(place, ["trained", "x"])
    assert isinstance(said("rm", "trained", "--runs-dir", place).exception, RunError)
    with pytest.raises(RunError, match=r"no run named \.\./trained"):
        remove_runs(place / "ensembled", ["../trained"])
    assert (place / "trained").is_dir()


def test_a_run_at_work_is_left(place):
    with FileLock(run_lock(place / "trained")), pytest.raises(RunError, match="another process"):
        remove_runs(place, ["trained"])
    assert (place / "trained").is_dir()
