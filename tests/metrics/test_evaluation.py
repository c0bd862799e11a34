from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ensemble_kit.core.errors import DataError, PredictionsError, RunError
from ensemble_kit.core.records import Folds, ImageTable, Predictions
from ensemble_kit.metrics.evaluation import FOLD_MEAN, GAP, SLICE, Evaluation, evaluate
from ensemble_kit.runs.curves import read_curves, write_curves
from ensemble_kit.runs.metrics_table import COLUMNS, metrics_csv, read_metrics
from ensemble_kit.study import EvaluationSpec
from tests.metrics.examples import as_records, drawn_cases

SPEC = EvaluationSpec(replicates=200, malignant=("c", "d"))


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    return evaluate(*as_records(drawn_cases(0, 200, 4)), SPEC)


def test_every_estimable_score_has_an_interval_around_it(evaluation: Evaluation) -> None:
    pooled = [row for row in evaluation.rows if row.scope == "pooled"]
    seen = 0
    for row in pooled:
        e = row.estimate
        if e.method == "count" or row.metric.endswith("_p"):
            continue
        assert e.value is not None, row
        assert e.low is not None, row
        assert e.high is not None, row
        assert e.low <= e.high
        # calibration errors are above the truth more often than not
        if "inverted" not in e.method and "basic" not in e.method:
            assert e.low <= e.value <= e.high, row
        assert e.n_groups > 0
        seen += 1
    assert seen > 120


def test_errors_stand_beside_what_a_calibrated_model_would_show(evaluation: Evaluation) -> None:
    for metric in ("ece", "ece_classwise", "smooth_ece"):
        found = evaluation.figure(metric)
        beside, p = (evaluation.figure(f"{metric}_{end}") for end in ("if_calibrated", "p"))
        assert found.method == "group bootstrap, inverted test"
        assert beside.value is not None
        assert p.value is not None
        assert f"{beside.value:.4f}" in found.note
        assert found.low is not None
        # the p-value and the interval come from one test: they agree about 0
        assert (p.value > 0.025) == (found.low == 0)


def test_folds_and_their_mean(evaluation: Evaluation) -> None:
    folds = [evaluation.figure("roc_auc_ovr", scope=f"fold {k}").value for k in range(3)]
    mean = evaluation.figure("roc_auc_ovr", scope=FOLD_MEAN)
    assert mean.value == pytest.approx(np.mean([value for value in folds if value is not None]))
    assert mean.low is not None
    assert mean.value != evaluation.figure("roc_auc_ovr").value


def test_slices_and_gaps(evaluation: Evaluation) -> None:
    cases = drawn_cases(0, 200, 4)
    male = cases.groups % 3 == 0
    right = cases.predicted == cases.labels
    found = evaluation.figure("accuracy", scope=SLICE, slice="sex=male")
    assert found.value == pytest.approx(right[male].mean())
    gap = evaluation.figure("accuracy", scope=GAP, slice="sex=male")
    assert gap.value == pytest.approx(right[male].mean() - right[~male].mean())
    assert gap.low is not None
    assert "by Holm's correction over 8 slices" in gap.note
    with pytest.raises(KeyError):
        evaluation.figure("ece", scope=GAP, slice="sex=male")
    assert evaluation.figure("accuracy", scope=SLICE, slice="sex=unknown").value is not None
    assert evaluation.figure("accuracy", scope=SLICE, slice="age=45-59").value is not None


def test_small_slices_are_guarded() -> None:
    table, folds, predictions = as_records(drawn_cases(0, 100, 3))
    rare = np.where(np.isin(table.group_codes, [3, 4, 5]), "rare", "usual")
    table = replace(table, slices={"source": rare})
    found = evaluate(table, folds, predictions, SPEC)
    guarded = found.figure("accuracy", scope=SLICE, slice="source=rare")
    assert guarded.value is None
    assert guarded.note == "not estimable: 3 groups in the slice, at least 10 are needed"


def test_a_class_absent_in_a_fold_is_not_estimable() -> None:
    cases = drawn_cases(0, 120, 3)
    table, folds, predictions = as_records(cases)
    fold = np.where(cases.labels == 2, cases.groups % 2, cases.groups % 3)
    folds = Folds(folds.image_ids, folds.groups, fold.astype(np.int64), 3)
    found = evaluate(table, folds, predictions, SPEC)
    for metric, name in (("roc_auc", "c"), ("recall", "c"), ("roc_auc_ovr", ""), ("f1_macro", "")):
        gone = found.figure(metric, name, "fold 2")
        assert (gone.value, gone.low, gone.high) == (None, None, None)
        assert gone.note == "not estimable: 0 groups with c, at least 2 are needed"
        assert found.figure(metric, name, FOLD_MEAN).value is None
        assert found.figure(metric, name).value is not None
    assert found.figure("accuracy", "", "fold 2").value is not None
    assert found.curve("roc", "c", "fold 2") is None
    assert ",nan," not in metrics_csv(found).lower()


def test_a_class_of_few_groups_has_no_interval() -> None:
    cases = drawn_cases(0, 120, 3)
    keep = (cases.labels != 2) | np.isin(
        cases.groups, np.unique(cases.groups[cases.labels == 2])[:3]
    )
    found = evaluate(*as_records(cases.take(np.flatnonzero(keep))), SPEC)
    few = found.figure("roc_auc", "c")
    assert few.value is not None
    assert (few.low, few.n_groups) == (None, 3)
    assert few.note == "no interval: 3 groups with c, at least 5 are needed"


def test_one_class_only() -> None:
    cases = drawn_cases(0, 60, 3)
    found = evaluate(*as_records(cases.take(np.flatnonzero(cases.labels == 0))), SPEC)
    assert found.figure("roc_auc", "a").value is None
    assert found.figure("specificity", "a").note.startswith("not estimable: 0 groups")
    assert found.figure("accuracy").value is not None
    assert found.figure("roc_auc_ovo").value is None


def test_without_images() -> None:
    table, folds, predictions = as_records(drawn_cases(0, 60, 3))
    none = np.zeros(0, dtype=np.int64)
    empty = Predictions(
        predictions.image_ids[none], predictions.class_names, predictions.probabilities[none]
    )
    nothing = Folds(folds.image_ids[none], folds.groups[none], none, 1)
    with pytest.raises(PredictionsError, match="no image to evaluate"):
        evaluate(table.take(none), nothing, empty, SPEC)


def test_no_replicates_no_intervals() -> None:
    found = evaluate(*as_records(drawn_cases(0, 60, 3)), EvaluationSpec(replicates=0))
    assert found.figure("accuracy").value is not None
    assert found.figure("accuracy").low is None


def test_the_same_seed_gives_the_same_bytes() -> None:
    records = as_records(drawn_cases(0, 60, 3))
    spec = EvaluationSpec(replicates=120)
    first = metrics_csv(evaluate(*records, spec, seed=3))
    assert first == metrics_csv(evaluate(*records, spec, seed=3))
    assert first != metrics_csv(evaluate(*records, spec, seed=4))


def test_bca_on_request() -> None:
    records = as_records(drawn_cases(0, 80, 3))
    spec = EvaluationSpec(replicates=400)
    bca = evaluate(*records, spec, method="bca").figure("roc_auc_ovr")
    plain = evaluate(*records, spec).figure("roc_auc_ovr")
    assert bca.method == "group bootstrap, BCa"
    assert bca.low != plain.low
    assert bca.low == pytest.approx(plain.low, abs=0.03)


def test_predictions_are_matched_by_image_not_by_row() -> None:
    table, folds, predictions = as_records(drawn_cases(0, 60, 3))
    order = np.random.default_rng(0).permutation(len(table))
    shuffled = Predictions(
        predictions.image_ids[order], predictions.class_names, predictions.probabilities[order]
    )
    spec = EvaluationSpec(replicates=50)
    assert metrics_csv(evaluate(table, folds, shuffled, spec)) == metrics_csv(
        evaluate(table, folds, predictions, spec)
    )


def test_unknown_slice_column_names_what_there_is() -> None:
    with pytest.raises(DataError, match=r"no metadata column camera to slice by: there are sex"):
        evaluate(*as_records(drawn_cases(0, 60, 3)), EvaluationSpec(slices=("camera",)))


def test_folds_of_other_images_are_refused() -> None:
    table, folds, predictions = as_records(drawn_cases(0, 60, 3))
    turned = Folds(folds.image_ids[::-1], folds.groups[::-1], folds.fold[::-1], folds.n_folds)
    with pytest.raises(PredictionsError, match="the same images in the same order"):
        evaluate(table, turned, predictions, SPEC)


def test_a_class_called_malignant_is_itself() -> None:
    cases = replace(drawn_cases(0, 60, 3), class_names=("benign", "mel", "malignant"))
    spec = EvaluationSpec(replicates=10, malignant=("mel", "malignant"))
    found = evaluate(*as_records(cases), spec).figure("recall", "malignant")
    truth = cases.labels == 2
    assert found.value == pytest.approx((cases.predicted[truth] == 2).mean())


def test_other_classes_are_refused() -> None:
    table, folds, predictions = as_records(drawn_cases(0, 60, 3))
    other = Predictions(predictions.image_ids, ("a", "b", "x"), predictions.probabilities)
    with pytest.raises(PredictionsError, match="same classes"):
        evaluate(table, folds, other, SPEC)


def test_metrics_csv_reads_back_exactly(evaluation: Evaluation, tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    text = metrics_csv(evaluation)
    assert text.splitlines()[0] == ",".join(COLUMNS)
    path.write_text(text, encoding="utf-8")
    assert read_metrics(tmp_path) == evaluation.rows
    path.write_text("scope,slice\n", encoding="utf-8")
    with pytest.raises(RunError, match="lacks column class"):
        read_metrics(tmp_path)


def test_curves_read_back(evaluation: Evaluation, tmp_path: Path) -> None:
    write_curves(tmp_path, evaluation.curves)
    back = read_curves(tmp_path)
    assert len(back) == len(evaluation.curves)
    for ours, theirs in zip(evaluation.curves, back, strict=True):
        assert (ours.kind, ours.class_name, ours.scope) == (
            theirs.kind, theirs.class_name, theirs.scope,
        )  # fmt: skip
        np.testing.assert_allclose(ours.y, theirs.y, atol=1e-9)


def test_curves_have_bands_on_explicit_grids(evaluation: Evaluation) -> None:
    kinds = {(c.kind, c.class_name) for c in evaluation.curves if c.scope == "pooled"}
    for name in ("a", "b", "c", "d", "malignant"):
        assert ("roc", name) in kinds
        assert ("pr", name) in kinds
        assert ("reliability", name) in kinds
    for wanted in (("roc", "micro"), ("roc", "macro"), ("reliability", "top-1"),
                   ("decision", "malignant"), ("decision_all", "malignant")):  # fmt: skip
        assert wanted in kinds
    roc = evaluation.curve("roc", "a")
    assert roc is not None
    assert roc.low is not None
    assert roc.high is not None
    assert (roc.low <= roc.high).all()
    assert ((roc.low <= roc.y + 1e-6) & (roc.y <= roc.high + 1e-6)).mean() > 0.95
    assert (np.diff(roc.y) >= 0).all()
    fold = evaluation.curve("roc", "a", "fold 1")
    assert fold is not None
    assert fold.low is None
    reliability = evaluation.curve("reliability", "top-1")
    assert reliability is not None
    assert reliability.support is not None
    assert reliability.support.sum() == evaluation.figure("n_images").value


def test_net_benefit_by_hand(evaluation: Evaluation) -> None:
    cases = drawn_cases(0, 200, 4)
    score = cases.probabilities[:, cases.malignant].sum(axis=1)
    truth = cases.malignant[cases.labels]
    curve, everyone = (
        evaluation.curve("decision", "malignant"),
        evaluation.curve("decision_all", "malignant"),
    )
    assert curve is not None
    assert everyone is not None
    for place in (9, 29, 59):
        t = curve.x[place]
        acted = score >= t
        expected = (acted & truth).mean() - (acted & ~truth).mean() * t / (1 - t)
        assert curve.y[place] == pytest.approx(expected, abs=1e-12)
        expected = truth.mean() - (~truth).mean() * t / (1 - t)
        assert everyone.y[place] == pytest.approx(expected, abs=1e-12)


def test_cross_checks_stand_beside_the_bootstrap(evaluation: Evaluation) -> None:
    rows = [r.estimate for r in evaluation.rows
            if (r.scope, r.metric, r.class_name) == ("pooled", "roc_auc", "a")]  # fmt: skip
    assert [e.method[:6] for e in rows] in (["jackkn", "DeLong"],)
    assert rows[0].value == pytest.approx(rows[1].value)
    assert rows[0].low == pytest.approx(rows[1].low, abs=0.03)
    assert not evaluation.figure("roc_auc", "a").method.startswith("DeLong")


def test_the_malignant_view_follows_the_study(evaluation: Evaluation) -> None:
    assert evaluation.figure("roc_auc", "malignant").value is not None
    records = as_records(drawn_cases(0, 60, 3))
    without = evaluate(*records, EvaluationSpec(replicates=10, malignant=()))
    with pytest.raises(KeyError):
        without.figure("roc_auc", "malignant")


def test_a_table_of_hostile_names_survives(tmp_path: Path) -> None:
    cases = replace(drawn_cases(0, 60, 3), class_names=('<a "b">', "c,d", "e;f"))
    table, folds, predictions = as_records(cases)
    found = evaluate(table, folds, predictions, EvaluationSpec(replicates=20))
    path = tmp_path / "metrics.csv"
    path.write_text(metrics_csv(found), encoding="utf-8")
    assert read_metrics(tmp_path) == found.rows
    assert isinstance(table, ImageTable)
