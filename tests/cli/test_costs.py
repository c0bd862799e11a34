"""`--costs` of `evaluate` and `ensemble`: by hand, cross-fitted, refused where it does not fit."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from ensemble_kit.core.errors import DataError, EnsembleKitError, StudyError
from ensemble_kit.core.records import Folds, ImageTable, Predictions
from ensemble_kit.metrics.means import mean_by_groups
from ensemble_kit.posthoc.costs import CostTable
from ensemble_kit.runs.costs import CostsRecord
from ensemble_kit.runs.folder import read_run
from ensemble_kit.workflows.costs import calibrated_by_folds, judge_costs, read_costs
from tests.cli.test_evaluate import predictions_file, run

TABLE = "class,mel,nv,bkl,refer\nmel,0,10,8,0.4\nnv,1,0,1,0.4\nbkl,1,0.5,0,0.4\n"


def costs_file(path: Path, text: str = TABLE) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_the_least_expected_cost_by_hand() -> None:
    costs = CostTable(("a", "b"), ("a", "b", "refer"), np.array([[0.0, 10, 1], [4, 0, 1]]))
    p = np.array([[0.95, 0.05], [0.6, 0.4], [0.02, 0.98], [0.75, 0.25]])
    # expected: a: 4·p_b; b: 10·p_a; refer: 1 (a tie goes to the first)
    assert costs.expected(p)[0] == pytest.approx([0.2, 9.5, 1])
    assert costs.decide(p).tolist() == [0, 2, 1, 0]
    assert costs.paid(np.array([0, 0, 0, 1]), costs.decide(p)).tolist() == [0, 1, 10, 4]
    assert costs.answers().tolist() == [0, 1]


def test_a_mean_by_groups_is_the_jackknife_of_a_ratio() -> None:
    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(30), random.integers(1, 6, 30))
    values = random.normal(size=len(groups))
    found = mean_by_groups(values, groups)
    without = np.array([values[groups != g].mean() for g in range(30)])
    error = np.sqrt(29 / 30 * ((without - without.mean()) ** 2).sum())
    assert found.value == pytest.approx(values.mean())
    assert (found.high - found.low) / 2 == pytest.approx(2.0452296421 * error, rel=1e-6)


def test_evaluate_writes_costs_and_actions(tmp_path: Path) -> None:
    source = predictions_file(tmp_path / "model.csv")
    costs = costs_file(tmp_path / "c.csv")
    code, out = run("--predictions", source, "--runs-dir", tmp_path / "runs", "--costs", costs)
    assert code == 0, out
    assert "least expected cost" in out
    assert "refer for all" in out
    folder = tmp_path / "runs" / "model"
    found = CostsRecord.read(folder)
    by_name = {line.name: line for line in found.policies}
    assert by_name["refer for all"].cost.value == pytest.approx(0.4)
    assert by_name["refer for all"].referred.value == pytest.approx(1)
    assert by_name["refer for all"].referred.low is None  # a rule, not an estimate
    decided = by_name["least expected cost"]
    likeliest = by_name["likeliest class"]
    assert likeliest.minus_decided.value == pytest.approx(likeliest.cost.value - decided.cost.value)
    table = read_run(folder).table
    with (folder / "actions.csv").open() as file:
        taken = {row["image"]: row["action"] for row in csv.DictReader(file)}
    assert set(taken) == set(table.image_ids.tolist())
    price = {"mel": [0, 10, 8, 0.4], "nv": [1, 0, 1, 0.4], "bkl": [1, 0.5, 0, 0.4]}
    order = ["mel", "nv", "bkl", "refer"]
    names = np.array(table.class_names)[table.labels]
    mean = np.mean(
        [price[t][order.index(taken[i])] for i, t in zip(table.image_ids, names, strict=True)]
    )
    assert decided.cost.value == pytest.approx(mean)
    assert "fitted to the other folds" in found.fitted


def test_json_has_the_costs(tmp_path: Path) -> None:
    source = predictions_file(tmp_path / "model.csv")
    code, out = run("--predictions", source, "--runs-dir", tmp_path / "runs", "--json",
                    "--costs", costs_file(tmp_path / "c.csv"))  # fmt: skip
    assert code == 0
    assert json.loads(out)["runs"][0]["costs"]["actions"] == ["mel", "nv", "bkl", "refer"]


def drawn(seed: int = 0, n: int = 600, sure: float = 3.0):
    random = np.random.default_rng(seed)
    scores = random.normal(size=(n, 3)) * 2
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    labels = np.array([random.choice(3, p=row) for row in p])
    shown = p**sure / (p**sure).sum(axis=1, keepdims=True)
    ids = np.array([f"i{k:04d}" for k in range(n)])
    empty = np.full(n, "", np.str_)
    table = ImageTable(ids, ids, labels, ("mel", "nv", "bkl"), empty, empty, empty)
    folds = Folds(ids, ids, np.arange(n) % 4, 4)
    return table, folds, Predictions(ids, table.class_names, shown)


def test_labels_of_a_fold_do_not_touch_its_decisions(tmp_path: Path) -> None:
    table, folds, predictions = drawn()
    costs = read_costs(costs_file(tmp_path / "c.csv"), table.class_names)
    before = calibrated_by_folds(table, folds, predictions)[0]
    labels = table.labels.copy()
    held = folds.held_out(2)
    labels[held] = np.random.default_rng(1).permutation(labels[held])
    other = ImageTable(table.image_ids, table.groups, labels, table.class_names, table.lesions,
                       table.patients, table.paths)  # fmt: skip
    after = calibrated_by_folds(other, folds, predictions)[0]
    assert np.array_equal(before[held], after[held])
    assert not np.array_equal(before[~held], after[~held])
    assert np.array_equal(costs.decide(before)[held], costs.decide(after)[held])


def test_an_overconfident_model_refers_too_little_unless_it_is_calibrated(tmp_path: Path) -> None:
    table, folds, predictions = drawn(1, 3000)
    costs = read_costs(costs_file(tmp_path / "c.csv"), table.class_names)
    calibrated, said = calibrated_by_folds(table, folds, predictions)
    raw = judge_costs(table, predictions.probabilities, costs, "")
    better = judge_costs(table, calibrated, costs, said)
    assert better.policies[0].cost.value < raw.policies[0].cost.value - 0.05
    assert better.policies[0].referred.value > raw.policies[0].referred.value
    assert better.policies[1].minus_decided.low > 0


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("class,mel\nmel,0\nnv,1\nbkl,1\n", StudyError, "nothing to decide"),
        ("class,mel,refer\nmel,0,1\nnv,1,1\n", StudyError, "at fault: bkl"),
        ("class,mel,refer\nmel,0,1\nnv,1,1\nbkl,1,1\nnv,1,1\n", StudyError, "at fault"),
        ("class,mel,refer\nmel,0,1\nnv,x,1\nbkl,1,1\n", DataError, "cost of mel for nv"),
        ("class,mel,refer\nmel,0,1\nnv,inf,1\nbkl,1,1\n", DataError, "cost of mel for nv"),
        ("class,mel,refer\nmel,0,1\nnv,,1\nbkl,1,1\n", DataError, "cost of mel for nv"),
        ("class,refer,Refer\nmel,0,1\nnv,1,1\nbkl,1,1\n", StudyError, "stands there twice"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_before_anything_is_written(
    tmp_path: Path, text: str, error: type[EnsembleKitError], said: str
) -> None:
    with pytest.raises(error, match=said):
        read_costs(costs_file(tmp_path / "c.csv", text), ("mel", "nv", "bkl"))
    source = predictions_file(tmp_path / "model.csv")
    code, out = run("--predictions", source, "--runs-dir", tmp_path / "runs",
                    "--costs", tmp_path / "c.csv")  # fmt: skip
    assert code == 2
    assert said in out
    assert not (tmp_path / "runs").exists()


def test_semicolons_decimal_commas_and_order_are_read(tmp_path: Path) -> None:
    text = "class;refer;nv;mel\nBKL;0,5;1;1\nmel;0,5;9;0\nnv;0,5;0;1\n"
    costs = read_costs(costs_file(tmp_path / "c.csv", text), ("mel", "nv", "bkl"))
    assert costs.actions == ("refer", "nv", "mel")
    assert costs.costs.tolist() == [[0.5, 9, 0], [0.5, 0, 1], [0.5, 1, 1]]
    assert costs.answers() is None


def test_an_action_that_a_spreadsheet_would_run(tmp_path: Path) -> None:
    costs = costs_file(tmp_path / "c.csv", 'class,"=HYPERLINK(""x"")",leave\na,0,1\nb,1,0\n')
    with pytest.raises(StudyError, match=r"c\.csv: action '=HYPERLINK.* begins like a formula"):
        read_costs(costs, ("a", "b"))
