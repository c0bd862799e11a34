import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from ensemble_kit.cli.app import app
from ensemble_kit.core.errors import EnsembleKitError
from ensemble_kit.runs.evaluation import read_evaluation
from ensemble_kit.runs.folder import read_run
from tests.metrics.examples import drawn_cases

FILES = ("folds.csv", "images.csv", "oof.csv", "metrics.csv", "curves.json", "study.toml")


def predictions_file(path: Path, seed: int = 0, truth: bool = True, blur: float = 0.0) -> Path:
    cases = drawn_cases(seed, 60, 3)
    p = cases.probabilities * (1 - blur) + blur / 3
    lines = ["image,dx,lesion_id,fold,sex,mel,nv,bkl" if truth else "image,mel,nv,bkl"]
    for k in range(len(cases)):
        label = ("mel", "nv", "bkl")[cases.labels[k]]
        group = cases.groups[k]
        known = (
            f"{label},L{group},{group % 3},{'male' if group % 2 else 'female'}," if truth else ""
        )
        lines.append(f"i{k}," + known + ",".join(repr(float(x)) for x in p[k]))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def run(*options: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["evaluate", *map(str, options), "--replicates", "100"])
    if isinstance(done.exception, EnsembleKitError):
        return 2, str(done.exception)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout


def test_a_run_folder_like_one_of_ours(tmp_path: Path) -> None:
    source = predictions_file(tmp_path / "model.csv")
    code, out = run("--predictions", source, "--runs-dir", tmp_path / "runs")
    assert code == 0
    assert "balanced_accuracy" in out
    assert "malignant" in out
    folder = tmp_path / "runs" / "model"
    found = read_run(folder)
    assert found.manifest.kind == "evaluate"
    assert set(FILES) == set(found.manifest.files)
    assert found.folds.n_folds == 3
    assert found.table.n_groups == 60
    evaluation = read_evaluation(folder)
    right = found.predictions.probabilities.argmax(axis=1) == found.table.labels
    assert evaluation.figure("accuracy").value == pytest.approx(right.mean())
    assert evaluation.figure("accuracy", scope="slice", slice="sex=male").value is not None
    assert not [path.name for path in folder.iterdir() if path.name.startswith(".")]


def test_the_same_command_writes_the_same_numbers(tmp_path: Path) -> None:
    source = predictions_file(tmp_path / "model.csv")
    metrics = tmp_path / "runs" / "model" / "metrics.csv"
    run("--predictions", source, "--runs-dir", tmp_path / "runs")
    first = metrics.read_bytes()
    code, _ = run("--predictions", source, "--runs-dir", tmp_path / "runs")
    assert (code, metrics.read_bytes()) == (0, first)


def test_several_files_are_compared_in_pairs(tmp_path: Path) -> None:
    one = predictions_file(tmp_path / "one.csv")
    two = predictions_file(tmp_path / "two.csv", blur=0.5)
    code, out = run(
        "--predictions", one, "--predictions", two, "--runs-dir", tmp_path / "runs",
        "--name", "study", "--json",
    )  # fmt: skip
    assert code == 0
    document = json.loads(out)
    assert [item["name"] for item in document["runs"]] == ["one", "two"]
    differences = document["comparison"]["differences"]
    loss = next(d for d in differences if d["metric"] == "log_loss")
    assert (loss["first"], loss["second"]) == ("one", "two")
    values = {
        item["name"]: next(r["value"] for r in item["rows"] if r["metric"] == "log_loss")
        for item in document["runs"]
    }
    assert loss["estimate"]["value"] == pytest.approx(values["one"] - values["two"])
    assert (tmp_path / "runs" / "study-one" / "comparison.json").is_file()


def test_the_table_of_differences_says_its_sign_and_its_family(tmp_path: Path) -> None:
    files = [predictions_file(tmp_path / f"{n}.csv", blur=b) for n, b in (("one", 0), ("two", 0.9))]
    options = [word for file in files for word in ("--predictions", file)]
    code, out = run(*options, "--runs-dir", tmp_path / "runs")
    assert code == 0
    title = next(line for line in out.splitlines() if line.startswith("paired differences"))
    assert "A − B: first named minus second named" in title
    assert "over the 11 tests of this table (figures × 1 pair)" in title, (
        "7 compared figures, 3 classes and malignant; one pair"
    )
    lines = out.splitlines()
    start = lines.index("one − two")
    rows = [line.split() for line in lines[start + 2 : start + 13]]
    assert lines[start + 1].split() == ["figure", "difference", "p", "p", "(Holm)"]
    loss = next(row for row in rows if row[0] == "log_loss")
    assert float(loss[1]) < 0, "the first is better: its loss minus the second's is negative"
    assert {row[2] for row in rows if row[1] == "of"} == {"malignant", "mel", "nv", "bkl"}
    assert "t-test (Nadeau–Bengio) of log_loss, one − two: -" in out
    document = json.loads((tmp_path / "runs" / "one" / "comparison.json").read_text())
    assert document["family"] == 11


def test_truth_and_folds_from_other_files(tmp_path: Path) -> None:
    bare = predictions_file(tmp_path / "bare.csv", truth=False)
    whole = predictions_file(tmp_path / "whole.csv")
    rows = [line.split(",") for line in whole.read_text().splitlines()[1:]]
    truth = tmp_path / "truth.csv"
    truth.write_text("image,MEL,NV,BKL\n" + "".join(
        f"{r[0]},{int(r[1] == 'mel')},{int(r[1] == 'nv')},{int(r[1] == 'bkl')}\n" for r in rows
    ))  # fmt: skip
    folds = tmp_path / "folds.csv"
    folds.write_text("image,fold\n" + "".join(f"{r[0]},{r[3]}\n" for r in rows))
    options = ("--truth", truth, "--folds-file", folds, "--runs-dir", tmp_path / "runs")
    assert run("--predictions", bare, *options)[0] == 0
    found = read_run(tmp_path / "runs" / "bare")
    assert found.folds.n_folds == 3
    assert found.table.n_groups == len(found.table)
    assert found.table.class_names == ("mel", "nv", "bkl")


def test_isic_conventions_add_rows(tmp_path: Path) -> None:
    source = predictions_file(tmp_path / "model.csv")
    code, out = run("--predictions", source, "--runs-dir", tmp_path / "runs", "--isic-conventions")
    assert code == 0
    assert "isic_balanced_accuracy" in out
    evaluation = read_evaluation(tmp_path / "runs" / "model")
    assert evaluation.figure("isic_auc", "mel").value == pytest.approx(
        evaluation.figure("roc_auc", "mel").value
    )


def test_mistakes_are_one_sentence_and_nothing_is_written(tmp_path: Path) -> None:
    bare = predictions_file(tmp_path / "bare.csv", truth=False)
    whole = predictions_file(tmp_path / "whole.csv")
    other = predictions_file(tmp_path / "other.csv", seed=3)
    runs = ("--runs-dir", tmp_path / "runs")
    for options, message in (
        (("--predictions", bare), "no truth: it has no label column"),
        (("--predictions", tmp_path / "none.csv"), "cannot be read"),
        (("--predictions", whole, "--predictions", other), "different images"),
        (("--predictions", whole, "--level", "1.5"), "level"),
        (("--predictions", whole, "--slice", "camera"), "no metadata column camera"),
        (("--predictions", whole, "--interval", "magic"), "auto, percentile or bca"),
        (("--predictions", whole, "--name", "../x"), "name"),
    ):
        code, out = run(*options, *runs)
        assert code == 2, options
        assert message in out
        assert not (tmp_path / "runs").exists()


def test_a_taken_name_is_refused_with_the_difference(tmp_path: Path) -> None:
    runs = ("--runs-dir", tmp_path / "runs", "--name", "x")
    run("--predictions", predictions_file(tmp_path / "one.csv"), *runs)
    before = (tmp_path / "runs" / "x" / "metrics.csv").read_bytes()
    two = predictions_file(tmp_path / "two.csv", blur=0.5)
    code, out = run("--predictions", two, *runs)
    assert code == 2
    assert "there already and differs in its predictions" in out
    assert (tmp_path / "runs" / "x" / "metrics.csv").read_bytes() == before
    assert run("--predictions", two, *runs, "--overwrite")[0] == 0


def test_leaking_folds_are_a_warning_in_the_run(tmp_path: Path) -> None:
    source = predictions_file(tmp_path / "model.csv")
    lines = source.read_text().splitlines()
    torn = [
        ",".join([*line.split(",")[:3], str(k % 3), *line.split(",")[4:]]) if k else line
        for k, line in enumerate(lines)
    ]
    source.write_text("\n".join(torn) + "\n")
    assert run("--predictions", source, "--runs-dir", tmp_path / "runs")[0] == 0
    manifest = read_run(tmp_path / "runs" / "model").manifest
    assert "leak" in manifest.warnings[0]


def test_help_starts_without_heavy_imports(project: Path) -> None:
    code = (
        "import sys; from ensemble_kit.cli.app import app; import typer.testing as t; "
        "assert t.CliRunner().invoke(app, ['evaluate', '--help']).exit_code == 0; "
        "heavy = {'numpy', 'pandas', 'sklearn', 'keras', 'tensorflow', 'optuna'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.shared
def test_the_real_predictions(shared: Path, tmp_path: Path) -> None:
    source = shared / "data" / "ham10000-oof" / "swinv2_focal.csv"
    code, _ = run("--predictions", source, "--runs-dir", tmp_path)
    assert code == 0
    evaluation = read_evaluation(tmp_path / "swinv2_focal")
    found = evaluation.figure("roc_auc_ovr")
    assert found.value == pytest.approx(0.9664213, abs=1e-6)
    assert found.low is not None
    assert np.isclose(found.low, 0.960, atol=0.003)
    assert evaluation.figure("n_groups").value == 6349
