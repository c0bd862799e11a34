"""`python cli.py tune` as a user gives it: a whole search, an interruption, mistakes."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ensemble_kit.cli.app import main
from ensemble_kit.study import read_study
from tests.training.conftest import write_squares

pytest.importorskip("keras")

STUDY = """
name = "squares"
[data]
path = "squares"
[split]
folds = 3
[model]
backbone = "compact"
weights = "none"
image_size = 48
unfreeze_depth = 1
[training]
head = "sgd"
head_epochs = 2
fine_tune_epochs = 1
batch_size = 16
head_lr = 0.01
fine_tune_lr = 0.003
augment = "none"
early_stopping = "none"
[evaluation]
replicates = 100
[search]
trials = 3
[search.space]
unfreeze_depth = { low = 0, high = 1 }
head_lr = { low = 1e-6, high = 3e-2, log = true }
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tune")
    write_squares(folder / "squares")
    (folder / "squares.toml").write_text(STUDY, encoding="utf-8")
    return folder


def command(*options):
    return [sys.executable, "-m", "ensemble_kit.cli", *map(str, options)]


def give(folder: Path, *options) -> subprocess.CompletedProcess:
    return subprocess.run(
        command(*options), cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )


def mistaken(capsys, *arguments) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["cli.py", "tune", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
    said = capsys.readouterr().err
    assert left.value.code == 2, said
    lines = [line for line in said.splitlines() if not line.startswith("warning: ")]
    assert len(lines) == 1, said
    assert lines[0].startswith("error: ")
    return said


@pytest.mark.slow
def test_the_backbone_is_searched_as_a_category(place):
    """Both are tried, each on stores of its own; the study chosen names one of them."""
    text = STUDY.replace('name = "squares"', 'name = "both"')
    text = text.replace("head_lr = { low", 'backbone = ["compact", "smallresnet"]\nhead_lr = { low')
    text = text.replace("trials = 3", 'trials = 5\nsampler = "random"\npruner = "none"')
    (place / "both.toml").write_text(text, encoding="utf-8")
    dry = give(place, "tune", "--study", "both.toml", "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert "compact" in dry.stdout
    assert "smallresnet" in dry.stdout
    done = give(place, "tune", "--study", "both.toml", "--quiet")
    assert done.returncode == 0, done.stderr
    found = json.loads((place / "studies/store/both/tuning.json").read_text(encoding="utf-8"))
    trials = found["trials"]
    assert {trial["params"]["backbone"] for trial in trials} == {"compact", "smallresnet"}
    assert all(trial["state"] == "COMPLETE" for trial in trials)
    best = min(trials, key=lambda trial: trial["value"])
    chosen = read_study(place / "studies/both.best.toml")
    assert chosen.model.backbone == best["params"]["backbone"]


@pytest.mark.slow
def test_a_search_then_the_study_it_chose(place):
    """The whole way: plan, trials, nested estimate, pictures, cv of the best, its record."""
    done = give(place, "tune", "--study", "squares.toml", "--nested", "--trials", 2, "--plots")
    assert done.returncode == 0, done.stderr
    assert "plan: 108 images, 3 folds, depths 0, 1" in done.stdout
    assert "Nested cross-validation: log_loss" in done.stdout
    assert "tuned minus default settings" in done.stdout
    assert "Traceback" not in done.stderr
    assert "Warning" not in done.stderr
    store = place / "studies/store/squares"
    record = json.loads((store / "tuning.json").read_text())
    assert record["trials"][0]["params"] == {"unfreeze_depth": 1, "head_lr": 0.01}
    assert record["optimism"]["low"] <= record["optimism"]["value"] <= record["optimism"]["high"]
    assert len(record["nested"]["chosen"]) == 3
    assert (store / "plots/history.svg").is_file()
    assert not list(store.glob("**/model.keras")), "fold models of trials are not kept"
    best = place / "studies/squares.best.toml"
    tuned = give(place, "cv", "--study", "studies/squares.best.toml", "--run", "tuned")
    assert tuned.returncode == 0, tuned.stderr
    run = place / "runs/tuned"
    assert (run / "tuning.json").read_bytes() == (store / "tuning.json").read_bytes()
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["files"]["tuning.json"]
    assert any("tuned on the same data" in sentence for sentence in manifest["warnings"])
    figures = (run / "metrics.csv").read_text().splitlines()
    pooled = next(line for line in figures if line.startswith("pooled,,,log_loss,"))
    value = record["trials"][record["best"]]["value"]
    assert float(pooled.split(",")[4]) == pytest.approx(value, abs=1e-6), "cv repeats the trial"
    assert read_study(best).tuned_by == "squares"


@pytest.mark.slow
def test_ctrl_c_keeps_everything_and_says_how_to_go_on(place):
    words = ["tune", "--study", "squares.toml", "--name", "stopped", "--trials", "3"]
    process = subprocess.Popen(
        command(*words), cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    folds = place / "studies/store/stopped/folds"
    limit = time.monotonic() + 120
    while not list(folds.glob("*/fold_0/done.json")):
        assert time.monotonic() < limit
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert said.splitlines()[-1].startswith(
        "error: interrupted; finished trials and folds are kept"
    )
    assert "the same command with --resume" in said
    assert "Traceback" not in said
    kept = {path: path.stat().st_mtime_ns for path in folds.glob("*/fold_*/done.json")}
    assert kept
    refused = give(place, *words)
    assert refused.returncode == 2
    assert "give --resume" in refused.stderr
    done = give(place, *words, "--resume")
    assert done.returncode == 0, done.stderr
    assert all(path.stat().st_mtime_ns == then for path, then in kept.items()), "trained once"
    record = json.loads((place / "studies/store/stopped/tuning.json").read_text())
    assert len(record["trials"]) == 3
    assert {t["state"] for t in record["trials"]} <= {"COMPLETE", "PRUNED"}


def test_mistakes_are_a_sentence_and_write_nothing(place, capsys, monkeypatch, tmp_path):
    shutil.copytree(place / "squares", tmp_path / "squares")
    monkeypatch.chdir(tmp_path)
    study = Path("s.toml")

    def with_space(line, **more):
        study.write_text(STUDY + line + "\n", encoding="utf-8")
        return mistaken(capsys, "--study", study, *more.get("words", ()))

    assert "learning_rate cannot be searched" in with_space("learning_rate = [1, 2]")
    assert "reversed" in with_space("dropout = {low = 0.4, high = 0.1}")
    assert "first trial is the study" in with_space("dropout = {low = 0.4, high = 0.6}")
    assert "below" in with_space("backbone = ['compact', 'xception']")
    wide = with_space("fine_tune_lr = {low = 1e-4, high = 1e-1}", words=["--jobs", 64])
    assert "warning: search.space.fine_tune_lr spans" in wide
    assert "--jobs 64 needs about 96 GB" in wide
    study.write_text(STUDY, encoding="utf-8")
    assert "--name" in mistaken(capsys, "--study", study, "--name", "../up")
    assert "cannot be read" in mistaken(capsys, "--study", "none.toml")
    said = mistaken(capsys)
    assert "no study given, and there is no studies/ham10000.toml" in said
    assert "needs a study file with a search space; give --study FILE" in said
    assert "metric" in mistaken(capsys, "--study", study, "--metric", "accuracy")
    url = "postgresql+psycopg://me:secret@127.0.0.1:1/none"
    said = mistaken(capsys, "--study", study, "--storage", url)
    assert "cannot be used" in said
    assert "secret" not in said
    study.write_text(STUDY.split("[search]")[0], encoding="utf-8")
    assert "add a table [search.space]" in mistaken(capsys, "--study", study)
    left = {path.name for path in tmp_path.iterdir()} - {"store"}
    assert left == {"squares", "s.toml"}


def test_help_is_quick(project):
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-X", "importtime", "cli.py", "tune", "--help"],
                          cwd=project, capture_output=True, text=True, check=True)  # fmt: skip
    assert time.monotonic() - began < 20
    loaded = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
    assert not loaded & {"optuna", "keras", "tensorflow", "pandas", "numpy", "matplotlib"}


def test_a_dry_run_writes_nothing_at_all(place, tmp_path, monkeypatch):
    monkeypatch.setattr("ensemble_kit.data.sources.SETTLED", -(10**15))
    shutil.copytree(place / "squares", tmp_path / "squares")
    shutil.copyfile(place / "squares.toml", tmp_path / "squares.toml")
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["cli.py", "tune", "--study", "squares.toml", "--dry-run"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 0
    assert sorted(tmp_path.rglob("*")) == before
