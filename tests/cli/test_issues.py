"""`check --run`, as a user gives it."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from ensemble_kit.cli.app import app
from ensemble_kit.core.errors import EnsembleKitError, RunError, StudyError, UsageError
from ensemble_kit.core.records import Folds, ImageTable, Predictions
from ensemble_kit.data.groups import read_pairs
from ensemble_kit.runs.features import write_features
from ensemble_kit.runs.folder import read_run, write_study
from ensemble_kit.runs.folds import write_fold_predictions
from ensemble_kit.runs.issues import Issue
from ensemble_kit.runs.manifest import Manifest, read_manifest, record_files, write_manifest
from ensemble_kit.runs.paths import FEATURES, FOLDS, IMAGES, OOF, STUDY, fold_folder
from ensemble_kit.runs.tables import write_folds, write_oof
from ensemble_kit.study import StudySpec

NAMES = ("mel", "nv", "[b]bkl")
N = 600


def give(*words: object) -> str:
    done = CliRunner().invoke(app, ["check", *map(str, words)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


def read_issues(folder: Path) -> list[Issue]:
    with (folder / "issues.csv").open(encoding="utf-8", newline="") as file:
        found = [Issue(**row) for row in csv.DictReader(file)]
    return [replace(issue, suspicion=float(issue.suspicion)) for issue in found]


def make_run(runs: Path, *, features: bool = True, frozen: bool = True) -> list[str]:
    """A finished run of 3 folds with 12 wrong labels and a twin across folds; the wrong ones."""
    random = np.random.default_rng(0)
    ids = np.array([f"im{k:03d}" for k in range(N)])
    true = random.integers(0, 3, N)
    scores = random.normal(size=(N, 3)) + 4 * np.eye(3)[true]
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    wrong = np.sort(random.choice(N, 12, replace=False))
    labels = true.copy()
    labels[wrong] = (labels[wrong] + 1) % 3
    empty = np.full(N, "", dtype=np.str_)
    table = ImageTable(ids, ids, labels, NAMES, empty, empty, empty)
    folds = Folds(ids, ids, np.arange(N) % 3, 3)
    folder = runs / "r"
    write_manifest(folder, Manifest(kind="cv", name="r", class_names=NAMES))
    write_folds(folder, table, [folds])
    write_oof(folder, Predictions(ids, NAMES, p))
    depth = 0 if frozen else 2
    write_study(folder, StudySpec().override({"model": {"unfreeze_depth": depth}}))
    x = random.normal(size=(N, 40)).astype(np.float32)
    x[1] = x[500]  # folds 1 and 2
    x[0] = x[300] + 0.1 * x[7]  # both in fold 0
    for k in range(3 if features else 0):
        rows = np.flatnonzero(folds.fold == k)
        write_fold_predictions(fold_folder(folder, 0, k), Predictions(ids[rows], NAMES, p[rows]))
        write_features(fold_folder(folder, 0, k) / FEATURES, x[rows])
    kept = sorted(str(p.relative_to(folder)) for p in folder.glob(f"fold_*/{FEATURES}"))
    record_files(folder, [FOLDS, IMAGES, OOF, STUDY, *kept], status="complete")
    return [str(name) for name in ids[wrong]]


def test_planted_wrong_labels_and_a_twin_are_found(tmp_path: Path) -> None:
    wrong = make_run(tmp_path)
    out = give("--run", "r", "--runs-dir", tmp_path, "--store", tmp_path / "no", "--pairs", 3)
    assert "labels to look at" in out
    assert "[b]bkl" in out
    issues = read_issues(tmp_path / "r")
    labels = [issue for issue in issues if issue.kind == "label"]
    found = {issue.image for issue in labels}
    assert len(found & set(wrong)) >= 9
    assert len(found & set(wrong)) >= 0.75 * len(found)
    run = read_run(tmp_path / "r")
    for issue in labels:
        assert issue.given != issue.suggested
        assert 0.5 <= issue.suspicion <= 1
    twins = [issue for issue in issues if issue.kind == "near-duplicate"]
    assert len(twins) == 3
    assert (twins[0].image, twins[0].other) == ("im001", "im500")
    assert (twins[1].image, twins[1].other) == ("im000", "im300")
    pairs, notes, _ = read_pairs(tmp_path / "r" / "near_duplicates.csv", run.table.image_ids)
    assert pairs[:2].tolist() == [[1, 500], [0, 300]]
    assert "3 of 3 pairs used" in " ".join(notes)
    assert {"issues.csv", "near_duplicates.csv"} <= set(read_manifest(tmp_path / "r").files)


def test_features_of_networks_that_differ_are_compared_within_folds(tmp_path: Path) -> None:
    make_run(tmp_path, frozen=False)
    out = give("--run", "r", "--runs-dir", tmp_path, "--store", tmp_path / "no", "--json")
    told = json.loads(out)
    assert (told["pairs"][0]["first"], told["pairs"][0]["second"]) == ("im000", "im300")
    assert "images of one fold alone" in told["notes"][0]
    assert ("im001", "im500") not in {(p["first"], p["second"]) for p in told["pairs"]}


def test_without_features_it_says_so(tmp_path: Path) -> None:
    make_run(tmp_path, features=False)
    out = give("--run", "r", "--runs-dir", tmp_path, "--store", tmp_path / "no")
    assert "near-duplicates were not looked for" in out
    assert not [i for i in read_issues(tmp_path / "r") if i.kind == "near-duplicate"]


@pytest.mark.parametrize(
    ("words", "error", "said"),
    [
        (["--suspicion", "0"], StudyError, "--suspicion 0"),
        (["--suspicion", "nan"], UsageError, "--suspicion must be a finite number"),
        (["--pairs", "-1"], StudyError, "--pairs -1"),
        (["--data", "x"], StudyError, "leave --data"),
        (["--run", "other"], RunError, "no run named 'other'"),
    ],
)
def test_bad_input_is_one_sentence_and_writes_nothing(
    tmp_path: Path, words: list[str], error: type[EnsembleKitError], said: str
) -> None:
    make_run(tmp_path)
    with pytest.raises(error, match=said):
        give("--run", "r", "--runs-dir", tmp_path, *words)
    assert not (tmp_path / "r" / "issues.csv").exists()


def test_a_threshold_lists_more(tmp_path: Path) -> None:
    make_run(tmp_path)
    give("--run", "r", "--runs-dir", tmp_path, "--pairs", 0, "--suspicion", 1e-6)
    many = read_issues(tmp_path / "r")
    give("--run", "r", "--runs-dir", tmp_path, "--pairs", 0)
    assert len(read_issues(tmp_path / "r")) < len(many)
    assert [i.suspicion for i in many] == sorted((i.suspicion for i in many), reverse=True)
