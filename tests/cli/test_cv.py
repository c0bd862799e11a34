"""`python cli.py cv` as a user gives it: whole runs, kills, resumption, mistakes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest

from ensemble_kit.cli.app import main
from ensemble_kit.cli.training_tables import _place
from ensemble_kit.study.cluster import ClusterSpec
from tests.training.conftest import write_squares

pytest.importorskip("keras")
SETTINGS = [
    "--folds", "3", "--backbone", "compact", "--weights", "none", "--image-size", "48",
    "--unfreeze-depth", "2", "--head-epochs", "2", "--fine-tune-epochs", "2", "--views", "2",
    "--batch-size", "16", "--head-lr", "0.01", "--fine-tune-lr", "0.003", "--no-progress",
]  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a data set ``squares`` and one finished run ``first``."""
    folder = tmp_path_factory.mktemp("cv")
    write_squares(folder / "squares")
    done = give(folder, "--run", "first")
    assert done.returncode == 0, done.stderr
    return folder


def command(*options):
    return [sys.executable, "-m", "ensemble_kit.cli", "cv", "--data", "squares", *SETTINGS,
            *options]  # fmt: skip


def give(folder: Path, *options) -> subprocess.CompletedProcess:
    return subprocess.run(
        command(*options), cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )


def children_of(pid: int) -> list[int]:
    import psutil

    return [child.pid for child in psutil.Process(pid).children(recursive=True)]


def mistaken(capsys, *arguments) -> str:
    """What a mistaken command says; asserts exit code 2, one sentence and no traceback."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["cli.py", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
    said = capsys.readouterr().err
    assert left.value.code == 2, said
    *readings, sentence = said.splitlines()
    assert sentence.startswith("error: ")
    assert all(line.startswith("read: ") for line in readings), said
    return said


def test_every_image_once_and_no_group_in_two_folds(place):
    run = place / "runs/first"
    oof, folds = pd.read_csv(run / "oof.csv"), pd.read_csv(run / "folds.csv")
    assert list(oof.columns) == ["image", "akiec", "mel", "nv"]
    assert sorted(oof["image"]) == sorted(folds["image"])
    assert oof["image"].is_unique
    assert (folds.groupby("group")["fold"].nunique() == 1).all()
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["status"] == "complete"
    for name in ("oof.csv", "metrics.csv", "fold_2/model.keras", "fold_0/history.csv"):
        assert name in manifest["files"]
    assert not (place / "store/events").exists()


def test_it_learns_what_the_squares_show(place):
    metrics = pd.read_csv(place / "runs/first/metrics.csv")
    pooled = metrics[(metrics["scope"] == "pooled") & (metrics["metric"] == "roc_auc_ovr")]
    assert pooled["value"].iloc[0] > 0.9


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_with_new_stores_and_two_jobs(place):
    done = give(place, "--run", "again", "--store", "another-store")
    assert done.returncode == 0, done.stderr
    other = give(place, "--run", "other-seed", "--seed", "1")
    assert other.returncode == 0, other.stderr
    first, again, seeded = (
        (place / "runs" / name / "oof.csv").read_bytes()
        for name in ("first", "again", "other-seed")
    )
    assert first == again
    assert first != seeded


def begun(place: Path, name: str) -> subprocess.Popen:
    """A run ``name`` in a process group of its own whose first fold has just been finished."""
    process = subprocess.Popen(
        command("--run", name), cwd=place, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    limit = time.monotonic() + 120
    while not (place / "runs" / name / "fold_0/done.json").is_file():
        assert time.monotonic() < limit, "the first fold never finished"
        time.sleep(0.02)
    return process


@pytest.mark.slow
def test_workers_end_with_a_killed_parent(place):
    process = begun(place, "orphaned")
    workers = children_of(process.pid)
    assert workers
    process.kill()
    process.wait()
    limit = time.monotonic() + 60
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        assert time.monotonic() < limit, "a worker outlived its parent"
        time.sleep(0.1)


@pytest.mark.slow
def test_killed_in_a_fold_and_given_again_it_ends_with_the_same_bytes(place):
    process = begun(place, "killed")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    finished = place / "runs/killed/fold_0/done.json"
    assert not (place / "runs/killed/fold_2/done.json").is_file(), "killed too late to tell"
    stamp = finished.stat().st_mtime_ns
    done = give(place, "--run", "killed")
    assert done.returncode == 0, done.stderr
    assert "fold 0: finished before, kept" in done.stderr
    assert finished.stat().st_mtime_ns == stamp
    first, killed = ((place / "runs" / n / "oof.csv").read_bytes() for n in ("first", "killed"))
    assert first == killed


@pytest.mark.slow
def test_repeats_redraw_the_folds_and_each_is_scored(place):
    done = give(place, "--run", "twice", "--repeats", "2", "--tensorboard")
    assert done.returncode == 0, done.stderr
    run = place / "runs/twice"
    folds = pd.read_csv(run / "folds.csv")
    assert (folds["fold"] != folds["fold_1"]).any()
    assert (folds.groupby("group")["fold_1"].nunique() == 1).all()
    own, average, first, second = (
        pd.read_csv(run / name, index_col="image")
        for name in ("oof.csv", "oof_average.csv", "oof_0.csv", "oof_1.csv")
    )
    pd.testing.assert_frame_equal(own, first)
    pd.testing.assert_frame_equal(average, (first + second) / 2)
    assert "over 2 draws of the folds" in done.stdout
    assert (run / "repeat_1/fold_2/model.keras").is_file()
    assert list((run / "fold_0/tensorboard").rglob("events.out.*"))


def test_a_run_whose_folds_were_made_to_leak_is_not_read(place):
    from ensemble_kit.core.errors import EnsembleKitError
    from ensemble_kit.runs.folder import read_run
    from ensemble_kit.runs.manifest import record_files

    leaky = place / "runs/leaky"
    shutil.copytree(place / "runs/first", leaky)
    folds = pd.read_csv(leaky / "folds.csv", dtype=str)
    folds.loc[0, "fold"] = str((int(folds.loc[0, "fold"]) + 1) % 3)
    folds.to_csv(leaky / "folds.csv", index=False)
    with pytest.raises(EnsembleKitError, match="not the file the run wrote"):
        read_run(leaky)
    record_files(leaky, ["folds.csv"])
    with pytest.raises(EnsembleKitError, match="L000"):
        read_run(leaky)
    shutil.rmtree(leaky)


def test_a_finished_run_given_again_trains_nothing(place):
    before = (place / "runs/first/fold_1/done.json").stat().st_mtime_ns
    done = give(place, "--run", "first")
    assert done.returncode == 0
    assert " epoch " not in done.stderr
    assert (place / "runs/first/fold_1/done.json").stat().st_mtime_ns == before
    assert "macro AUC" in done.stdout


def test_a_name_reused_for_another_study_names_the_difference(place, capsys, monkeypatch):
    monkeypatch.chdir(place)
    before = (place / "runs/first/manifest.json").read_bytes()
    said = mistaken(
        capsys, "cv", "--data", "squares", *SETTINGS, "--run", "first", "--dropout", "0.5"
    )
    assert "model.dropout is 0.3 there, 0.5 here" in said
    assert "--overwrite" in said
    assert (place / "runs/first/manifest.json").read_bytes() == before


def test_a_dry_run_prints_the_plan_and_writes_no_run(place):
    done = give(place, "--run", "dry", "--dry-run")
    assert done.returncode == 0
    assert "plan: 108 images at 48 px" in done.stdout
    assert "frozen layers: 0 images to pass" in done.stdout
    assert not (place / "runs/dry").exists()


@pytest.mark.parametrize("dry", [["--dry-run"], []])
def test_the_cluster_is_looked_for_before_any_work(place, dry):
    """Its package, or somebody at its address; a dry run asks no worker."""
    done = give(place, "--run", "dry", *dry, "--executor", "dask", "--address",
                "tcp://127.0.0.1:9", "--gpus-per-fold", "1")  # fmt: skip
    assert done.returncode == 2
    assert not (place / "runs" / "dry").exists()
    assert "pixels:" not in done.stderr
    missing = find_spec("distributed") is None
    assert ("needs the package distributed" if missing else "nobody listens") in done.stderr
    said = _place(ClusterSpec(executor="dask", address="tcp://host:8786", gpus=1))
    assert "a dask cluster at tcp://host:8786; each fold declares 1 GPU; its workers" in said


def everything(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.stat().st_size)
        for path in folder.rglob("*")
    }


def test_a_dry_run_writes_nothing_at_all(place, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("ensemble_kit.data.sources.SETTLED", -(10**15))
    write_squares(tmp_path / "squares")
    for folder, data in ((place, "squares"), (tmp_path, "squares"), (tmp_path, "sample")):
        monkeypatch.chdir(folder)
        before = everything(folder)
        words = ["cv", "--data", data, *SETTINGS, "--run", "dry", "--dry-run"]
        monkeypatch.setattr(sys, "argv", ["cli.py", *words])
        with pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr().out
        assert left.value.code == 0
        assert "plan: " in said
        assert everything(folder) == before
    assert "decodes no image" in said
    assert "`check` finds damaged files" in said


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--folds", "1"], "--folds must be at least 2"),
        (["--image-size", "40", "--backbone", "xception"], "71 px"),
        (["--unfreeze-depth", "9"], "5 blocks"),
        (["--weights", "nowhere.h5"], "not a file"),
        (["--backbone", "vgg"], "xception"),
        (["--class-weights", "heavy"], "training.class_weights"),
        (["--folds", "40"], "akiec"),
        (["--study", "missing.toml"], "missing.toml"),
        (["--folds-file", "missing.csv"], "missing.csv"),
        (["--dropout", "1"], "--dropout must be less than 1"),
    ],
)
def test_a_mistake_is_one_sentence_and_writes_nothing(
    place, capsys, monkeypatch, options, expected
):
    monkeypatch.chdir(place)
    said = mistaken(capsys, "cv", "--data", "squares", *SETTINGS, "--run", "bad", *options)
    assert expected in said
    assert not (place / "runs/bad").exists()


def test_a_damaged_image_is_named_and_leaves_no_run(tmp_path):
    write_squares(tmp_path / "squares")
    victim = tmp_path / "squares/images/I007_1.png"
    victim.write_bytes(victim.read_bytes()[:200])
    done = give(tmp_path, "--run", "bad")
    assert done.returncode == 2
    error = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(error) == 1
    assert "I007_1" in error[0]
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()


def test_without_data_it_says_how_to_get_some(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = mistaken(capsys, "cv")
    for way in ("fetch", "--data", "sample"):
        assert way in said


def test_an_unknown_setting_in_a_study_is_named(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.toml").write_text("[model]\ndropuot = 0.1\n")
    assert "model.dropuot is not a setting" in mistaken(capsys, "cv", "--study", "s.toml")


def test_overwriting_with_a_mistake_loses_nothing(place, capsys, monkeypatch):
    monkeypatch.chdir(place)
    before = {p: p.stat().st_mtime_ns for p in (place / "runs/first").rglob("*")}
    settings = [word if word != "none" else "nowhere.h5" for word in SETTINGS]
    mistaken(capsys, "cv", "--data", "squares", *settings, "--run", "first", "--overwrite")
    assert before == {p: p.stat().st_mtime_ns for p in (place / "runs/first").rglob("*")}


def test_a_run_name_stays_in_its_folder(place, capsys, monkeypatch):
    monkeypatch.chdir(place)
    for name in ("../up", "a/b", ".hidden"):
        said = mistaken(capsys, "cv", "--data", "squares", *SETTINGS, "--run", name)
        assert "run name" in said


def test_two_processes_cannot_work_on_one_run(place):
    from filelock import FileLock

    with FileLock(place / "runs/.first.lock"):
        done = give(place, "--run", "first")
    assert done.returncode == 2
    assert "another process is working on run 'first'" in done.stderr


def test_intervals_may_change_without_training_and_the_study_says_so(place):
    study = place / "again.toml"
    study.write_text((place / "runs/first/study.toml").read_text().replace("0.95", "0.8"))
    done = subprocess.run(
        [sys.executable, "-m", "ensemble_kit.cli", "cv", "--study", str(study), "--run",
         "first", "--data", "squares", "--no-progress"],
        cwd=place, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "level = 0.8" in (place / "runs/first/study.toml").read_text()
    assert " epoch " not in done.stderr


def test_stores_are_not_pruned_under_a_run(place, capsys, monkeypatch):
    from ensemble_kit.stores.locks import reading_stores

    monkeypatch.chdir(place)
    with reading_stores(place / "store"):
        assert "a run is reading" in mistaken(capsys, "store", "prune", "--all")


def test_a_folds_file_is_one_draw(place, capsys, monkeypatch):
    monkeypatch.chdir(place)
    words = ["--folds-file", "runs/first/folds.csv", "--repeats", "2", "--run", "bad"]
    assert "leave --repeats out" in mistaken(capsys, "cv", "--data", "squares", *SETTINGS, *words)
