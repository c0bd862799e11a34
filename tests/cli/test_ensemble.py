"""`ensemble`, from files to a run folder, and what bad input gets."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from ensemble_kit.cli.app import app
from ensemble_kit.core.errors import StudyError
from ensemble_kit.posthoc.conformal.cross import CrossSets
from ensemble_kit.posthoc.crossfit import Members
from ensemble_kit.runs.ensembles import ConformalRecord
from ensemble_kit.runs.folder import find_run, read_run
from ensemble_kit.runs.manifest import read_manifest, write_manifest
from ensemble_kit.workflows.members import gather
from ensemble_kit.workflows.saved_ensemble import load_ensemble
from tests.posthoc.posthoc_cases import as_table, made_rows

ROWS = made_rows(groups=150, classes=3)


def frame(m: int, rows=ROWS) -> pd.DataFrame:
    members, table, folds = as_table(rows)
    head = pd.DataFrame(
        {"image": table.image_ids, "lesion_id": table.groups, "fold": folds.fold,
         "dx": np.array(table.class_names)[table.labels],
         "sex": np.where(table.group_codes % 2, "f", "m")}
    )  # fmt: skip
    return head.join(pd.DataFrame(members.probabilities[m], columns=list(table.class_names)))


def run(project: Path, *words: object, code: int = 0) -> tuple[str, str]:
    found = subprocess.run(
        [sys.executable, str(project / "cli.py"), "ensemble", *map(str, words)],
        capture_output=True, text=True, cwd=project, timeout=400,
    )  # fmt: skip
    assert found.returncode == code, found.stderr
    assert "Traceback" not in found.stderr
    return found.stdout, found.stderr


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"model_{m}.csv" for m in range(3)]
    for m, path in enumerate(paths):
        frame(m).to_csv(path, index=False)
    return paths


def given(paths: list[Path]) -> list[object]:
    return [word for path in paths for word in ("--predictions", path)]


def test_files_to_a_run_that_can_be_read_and_used(project: Path, files, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    words = [*given(files), "--runs-dir", runs, "--name", "both", "--replicates", 100]
    out, _ = run(project, *words)
    for word in ("chosen:", "optimism", "prediction sets", "log loss", "model_0"):
        assert word in out
    folder = runs / "both"
    read = read_run(folder)
    assert read.manifest.kind == "ensemble"
    assert set(read.manifest.files) == {
        "folds.csv", "images.csv", "oof.csv", "study.toml", "ensemble.json", "calibration.json",
        "conformal.json", "sets.csv", "metrics.csv", "curves.json",
    }  # fmt: skip
    values = json.loads((folder / "ensemble.json").read_text())
    assert [m["name"] for m in values["members"]] == ["model_0", "model_1", "model_2"]
    optimism = {o["metric"]: o for o in values["optimism"]}
    gap = optimism["log_loss"]
    assert gap["difference"]["value"] == pytest.approx(
        gap["in_sample"]["value"] - gap["cross_fitted"]["value"]
    )
    assert gap["difference"]["value"] < 0
    sets = pd.read_csv(folder / "sets.csv")
    assert list(sets["image"]) == list(read.table.image_ids)
    bundle = load_ensemble(folder)
    new = Members(bundle.members, read.table.image_ids[:5], bundle.class_names,
                  ROWS.members[:, :5] * 1.0)  # fmt: skip
    assert np.allclose(bundle.apply(new).probabilities.sum(axis=1), 1)
    again, _ = run(project, *words)
    assert again == out
    assert read_run(folder).predictions.probabilities.tobytes() == (
        read.predictions.probabilities.tobytes()
    )
    _, error = run(project, *words, "--method", "stack", code=2)
    assert "--overwrite" in error


def test_runs_are_members_and_the_json_is_complete(project: Path, files, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    small = ["--runs-dir", runs, "--replicates", 50]
    run(project, *given(files[:2]), *small, "--name", "first", "--method", "mean", "-q")
    out, _ = run(
        project, "first", *given(files[2:]), *small, "--name", "second", "--method", "weights",
        "--calibrate", "temperature", "--json", "-q",
    )  # fmt: skip
    values = json.loads(out)
    assert [m["name"] for m in values["members"]] == ["first", "model_2"]
    assert values["method"] == "weights + temperature"
    assert read_run(find_run("second", runs)).predictions.class_names == ("a", "b", "c")


def test_prior_shift_objective_and_set_options(project: Path, files, tmp_path: Path) -> None:
    out, _ = run(
        project, *given(files), "--runs-dir", tmp_path / "runs", "--replicates", 20, "--method",
        "greedy", "--objective", "balanced_accuracy", "--prevalence", "a=0.8,b=0.1", "--set-score",
        "raps", "--set-scope", "marginal", "--set-unit", "drawn", "--json", "-q",
    )  # fmt: skip
    values = json.loads(out)
    assert values["final"]["prior_shift"]["target"] == pytest.approx([0.8, 0.1, 0.1])
    plain, _ = run(
        project, *given(files), "--runs-dir", tmp_path / "plain", "--replicates", 20, "--method",
        "greedy", "--objective", "balanced_accuracy", "--json", "-q",
    )  # fmt: skip
    without = json.loads(plain)
    assert without["board"] == values["board"], "judged on rows of their own frequencies: unshifted"
    assert without["final"]["prior_shift"] is None
    counts = np.bincount(ROWS.labels, minlength=3)
    frequency = (counts + 0.5) / (counts.sum() + 1.5)
    power = values["decision"]["power"]
    assert power > 0, "rare classes weigh more where balanced accuracy is the aim"
    assert values["decision"]["weights"] == pytest.approx(frequency**-power)
    sets = pd.read_csv(tmp_path / "plain" / "ensemble" / "sets.csv")
    folds = pd.read_csv(tmp_path / "plain" / "ensemble" / "folds.csv").set_index("image")
    truth = folds.loc[sets["image"], "label"].to_numpy()
    right = sets["decision"].to_numpy() == truth
    recall = np.mean([right[truth == name].mean() for name in ("a", "b", "c")])
    decided = without["decided"]
    assert decided["balanced_accuracy"]["value"] == pytest.approx(recall)
    assert decided["accuracy"]["value"] == pytest.approx(right.mean())
    assert decided["balanced_accuracy"]["low"] < recall < decided["balanced_accuracy"]["high"]
    notes = read_run(find_run("ensemble", tmp_path / "plain")).manifest.notes
    assert any("class-weighted decision, cross-fitted: balanced accuracy" in n for n in notes)


BAD = {
    "nan": (lambda f: f.assign(a=f["a"].where(f.index != 4)), "img_00004"),
    "negative": (lambda f: f.assign(a=f["a"] - 2 * (f.index == 5)), "img_00005"),
    "sums": (lambda f: f.assign(a=f["a"] + 0.2 * (f.index == 6)), "do not sum to 1"),
    "twice": (lambda f: pd.concat([f, f.iloc[[7]]]), "img_00007"),
    "fewer images": (lambda f: f.iloc[3:], "--align"),
    "other labels": (lambda f: f.assign(dx=["b", *f["dx"][1:]]), "disagree"),
    "other classes": (
        lambda f: f.rename(columns={"a": "z"}).replace({"dx": {"a": "z"}}),
        "classes",
    ),
    "never predicted": (lambda f: f.assign(b=f["b"] + f["a"], a=0.0), "never predicted"),
}


@pytest.mark.parametrize("name", list(BAD))
def test_bad_members_are_named(name: str, project: Path, files, tmp_path: Path) -> None:
    spoil, word = BAD[name]
    spoil(frame(1)).to_csv(files[1], index=False)
    runs = tmp_path / "runs"
    _, error = run(project, *given(files), "--runs-dir", runs, code=2)
    assert word in error
    assert "model_1" in error
    assert not runs.exists()


@pytest.mark.parametrize(
    ("drop", "word"),
    [(["fold"], "folds"), (["dx"], "labels"), (["dx", "fold", "lesion_id"], "labels")],
)
def test_missing_folds_and_labels(drop, word: str, project: Path, files, tmp_path: Path) -> None:
    for m, path in enumerate(files):
        frame(m).drop(columns=drop).to_csv(path, index=False)
    _, error = run(project, *given(files), "--runs-dir", tmp_path / "runs", code=2)
    assert word in error


def test_one_fold_only_is_refused(project: Path, files, tmp_path: Path) -> None:
    for m, path in enumerate(files):
        frame(m).assign(fold=0).to_csv(path, index=False)
    _, error = run(project, *given(files), "--runs-dir", tmp_path / "runs", code=2)
    assert "at least two" in error


@pytest.mark.parametrize(
    "words",
    [
        ("--method", "magic"), ("--calibrate", "magic"), ("--objective", "x"), ("--set-level", "1"),
        ("--prevalence", "a=2"), ("--prevalence", "q=0.5"), ("--prevalence", "a"),
        ("--name", "../up"),
    ],
)  # fmt: skip
def test_bad_options(words, project: Path, files, tmp_path: Path) -> None:
    _, error = run(project, *given(files), "--runs-dir", tmp_path / "runs", *words, code=2)
    assert words[0] in error or words[1] in error


def test_no_members_and_unknown_runs(project: Path, tmp_path: Path) -> None:
    assert "needs members" in run(project, "--runs-dir", tmp_path, code=2)[1]
    assert "no run named 'x'" in run(project, "x", "--runs-dir", tmp_path, code=2)[1]


def test_align_keeps_common_images(files) -> None:
    frame(1).iloc[3:].to_csv(files[1], index=False)
    found = gather([], files, align=True)
    assert len(found.table) == len(ROWS) - 3
    assert found.members.probabilities.shape == (3, len(ROWS) - 3, 3)
    assert "aligned" in " ".join(found.notes)


def test_columns_and_rows_in_another_order_are_matched(files) -> None:
    before = gather([], files)
    frame(1).iloc[::-1][["image", "c", "a", "b", "dx", "fold", "lesion_id", "sex"]].to_csv(
        files[1], index=False
    )
    after = gather([], files)
    assert after.members.probabilities.tobytes() == before.members.probabilities.tobytes()


def test_group_safe_but_different_folds_are_redrawn_and_said(files) -> None:
    other = made_rows(groups=150, classes=3, folds=3)
    frame(1).assign(fold=other.fold).to_csv(files[1], index=False)
    found = gather([], files)
    assert "new outer folds were drawn by group" in " ".join(found.notes)
    per_group = pd.Series(found.folds.fold).groupby(found.table.groups).nunique()
    assert (per_group == 1).all()


def test_different_folds_that_cut_groups_are_refused(files) -> None:
    from ensemble_kit.core.errors import SplitError

    frame(1).assign(fold=np.arange(len(ROWS)) % 4).to_csv(files[1], index=False)
    with pytest.raises(SplitError, match=r"model_1\.csv has other folds"):
        gather([], files)


def test_a_submission_without_labels_borrows_the_truth(files) -> None:
    frame(2)[["image", "a", "b", "c"]].to_csv(files[2], index=False)
    found = gather([], files)
    assert found.members.names == ("model_0", "model_1", "model_2")
    assert any("taken to be out of fold" in w for w in found.warnings)


def saved(files, tmp_path: Path, project: Path, *words: object):
    runs = tmp_path / "runs"
    run(project, *given(files), "--runs-dir", runs, "--name", "e", "--replicates", 0, "-q", *words)
    return load_ensemble(runs / "e")


def test_the_saved_ensemble_averages_after_the_chain(project: Path, files, tmp_path: Path) -> None:
    """Three fold models a member: the chain on each, then the mean; by hand."""
    bundle = saved(files, tmp_path, project)
    new = np.random.default_rng(0).dirichlet(np.ones(3), (3, 3, 20))  # member, fold model, image
    by_member = dict(zip(bundle.members, new, strict=True))
    by_hand = np.mean([bundle.chain.apply(new[:, k]) for k in range(3)], axis=0)
    assert bundle.apply_folds(by_member) == pytest.approx(by_hand)
    of_the_mean = bundle.chain.apply(new.mean(axis=1))
    assert np.abs(bundle.apply_folds(by_member) - of_the_mean).max() > 0.001
    assert bundle.apply_folds({n: p[0] for n, p in by_member.items()}) == pytest.approx(
        bundle.chain.apply(new[:, 0])
    )


def test_members_with_different_numbers_of_fold_models(project, files, tmp_path: Path) -> None:
    """2, 3 and 1 fold models: each of a member's is used equally often over the six rounds."""
    bundle = saved(files, tmp_path, project, "--method", "mean", "--calibrate", "none")
    random = np.random.default_rng(1)
    parts = [random.dirichlet(np.ones(3), (k, 5)) for k in (2, 3, 1)]
    found = bundle.apply_folds(dict(zip(bundle.members, parts, strict=True)))
    assert found == pytest.approx(np.mean([p.mean(axis=0) for p in parts], axis=0))


def test_what_does_not_fit_the_saved_ensemble_is_named(project, files, tmp_path: Path) -> None:
    from ensemble_kit.core.errors import PredictionsError

    bundle = saved(files, tmp_path, project, "--method", "mean")
    good = {name: np.full((2, 4, 3), 1 / 3) for name in bundle.members}
    for change, word in (
        ({"model_1": np.full((2, 5, 3), 1 / 3)}, "differ in images"),
        ({"model_1": np.full((2, 4, 2), 1 / 2)}, "classes"),
        ({"model_1": np.full(4, 1 / 3)}, "model_1"),
        ({"model_1": np.full((2, 4, 3), np.nan)}, "model_1"),
        ({"other": np.full((2, 4, 3), 1 / 3)}, "other"),
    ):
        with pytest.raises(PredictionsError, match=word):
            bundle.apply_folds(good | change)


def test_a_members_warning_is_inherited(project: Path, files, tmp_path: Path) -> None:
    """A run whose epochs were chosen by its own rows: nothing made of it is called cross-fitted."""
    runs = tmp_path / "runs"
    small = ["--runs-dir", runs, "--replicates", 0]
    run(project, *given(files[:2]), *small, "--name", "first", "--method", "mean", "-q")
    manifest = read_manifest(runs / "first")
    text = "The epoch was chosen on the very images it is judged on: the figures are optimistic."
    write_manifest(runs / "first", manifest.with_(warnings=(text,)))
    out, error = run(project, "first", *given(files[2:]), *small, "--name", "second")
    assert "optimistic, as first is by its own warning" in " ".join(out.split())
    assert text in " ".join(error.split())
    inherited = f"Of run 'first': {text}"
    assert read_manifest(runs / "second").warnings == (inherited,)
    # a table of a warned run, and a run made of a warned run, hand it on
    table = ["--predictions", runs / "first" / "oof.csv", "--folds-file", runs / "first/folds.csv"]
    run(project, "second", *small, "--name", "third", "-q")
    assert read_manifest(runs / "third").warnings == (inherited,)
    found = subprocess.run(
        [sys.executable, str(project / "cli.py"), "evaluate", *map(str, table), "--truth",
         str(files[0]), *map(str, small), "--name", "judged"],
        capture_output=True, text=True, cwd=project, timeout=400,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    assert inherited in read_manifest(runs / "judged").warnings


@pytest.mark.slow
@pytest.mark.shared
def test_three_real_models(project: Path, shared: Path, tmp_path: Path) -> None:
    """auto: no worse than mean + temperature, better than any member, and calibrated."""
    paths = sorted((shared / "data" / "ham10000-oof").glob("*.csv"))
    out, _ = run(
        project, *given(paths), "--runs-dir", tmp_path, "--replicates", 200, "--json", "-q"
    )
    board = {line["name"]: line for line in json.loads(out)["board"]}
    ours = board["ensemble"]["figures"]
    assert ours["ece"]["value"] <= 0.010
    assert board["mean + temperature"]["minus_ensemble"]["log_loss"]["value"] >= 0
    for path in paths:
        assert board[path.stem]["minus_ensemble"]["log_loss"]["low"] > 0


def test_cross_conformal_sets_are_written_read_and_named(
    project: Path, files, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    out, _ = run(
        project, *given(files), "--runs-dir", runs, "--replicates", 20, "--method", "mean",
        "--calibrate", "temperature", "--set-method", "cross", "-q",
    )  # fmt: skip
    assert "cross-conformal" in " ".join(out.split())
    record = ConformalRecord.read(runs / "ensemble")
    assert record.final.method == "cross"
    assert "1 - 2 (1 - level)" in record.promise
    bundle = load_ensemble(runs / "ensemble")
    assert isinstance(bundle.sets, CrossSets)
    assert len(bundle.inner) == len(bundle.sets.folds) > 1
    p = ROWS.members
    by_fold = np.stack([chain.apply(p) for chain in bundle.inner])
    inside = bundle.sets.sets(by_fold, bundle.chain.apply(p))
    assert inside.shape == p.shape[1:]
    assert inside[np.arange(len(inside)), ROWS.labels].mean() > 0.8


def test_a_word_that_is_a_file_and_a_run_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "runs/e"
    run.mkdir(parents=True)
    (run / "manifest.json").write_text("{}")
    (tmp_path / "e").write_text("")
    (tmp_path / "p.csv").write_text("image,mel,nv,label\na,0.5,0.5,nv\nb,0.1,0.9,mel\n")
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["ensemble", "e", "p.csv"])
    assert isinstance(done.exception, StudyError)
    assert "e is a file here and the name of a run: give runs/e for the run" in str(done.exception)
