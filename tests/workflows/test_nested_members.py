"""`ensemble --nested-members`: the second level without anything that saw the fold being judged."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ensemble_kit.core.errors import RunError, StudyError
from ensemble_kit.core.records import ImageTable
from ensemble_kit.posthoc.crossfit import Rows, crossfit_nested, crossfit_rows
from ensemble_kit.posthoc.selection.catalogue import Candidate
from ensemble_kit.posthoc.selection.fitted import fit_candidates
from ensemble_kit.runs.folder import read_run
from ensemble_kit.runs.nested_members import NestedMembersRecord
from ensemble_kit.study import EvaluationSpec
from ensemble_kit.workflows.ensemble import EnsembleSettings, ensemble
from ensemble_kit.workflows.nested_members import fit_nested, intervals_anew
from ensemble_kit.workflows.refitting import prepare_refits
from tests.workflows.test_cv_tables import drawn, run, study

PLAIN = EnsembleSettings(method="mean", calibrate="temperature")
FEW = EvaluationSpec(replicates=50, malignant=())


@pytest.fixture
def made(tmp_path: Path) -> tuple[Path, ImageTable]:
    """Two runs of tables on the same folds: features from a file, and metadata alone."""
    table, x = drawn()
    file = tmp_path / "x.csv"
    x.to_csv(file)
    spec = study(inputs="features").override({"data": {"features": str(file)}})
    run(tmp_path, table, spec, None, "features")
    run(tmp_path, table, study(inputs="metadata", metadata=("age", "sex")), None, "meta")
    return tmp_path, table


def test_nested_rows_come_from_models_that_saw_neither_fold(made) -> None:
    place, _ = made
    (refit,) = prepare_refits([place / "features"], [], [], place / "store")
    seen = []

    def watched(train, seed):
        predict = refit.fit(train, seed)
        return lambda rows: seen.append((train, rows)) or predict(rows)

    nested = fit_nested(replace(refit, fit=watched))
    fold = refit.folds.fold
    assert len(seen) == 3 * 2
    for train, rows in seen:
        used = set(fold[train])
        assert len(used) == 1
        assert not used & set(fold[rows])
    for k, p in nested.items():
        assert np.array_equal(p[fold == k], refit.predictions.probabilities[fold == k])
        assert not np.allclose(p[fold != k], refit.predictions.probabilities[fold != k])
        assert np.allclose(p.sum(axis=1), 1)


def test_labels_of_the_outer_fold_reach_nothing_that_judges_it(made) -> None:
    """Ordinary members of the other folds were fitted to them; nested members were not."""
    place, table = made
    (refit,) = prepare_refits([place / "features"], [], [], place / "store")
    fold, labels = refit.folds.fold, table.labels
    swapped = np.where(fold == 0, (labels + 1) % 3, labels)

    def output(y: np.ndarray) -> np.ndarray:
        other = replace(refit.table, labels=y, lesions=refit.table.image_ids)

        def fit(train, seed):
            from ensemble_kit.training.table_member import fit_table_model
            from ensemble_kit.workflows.refitting import _inputs, read_run_study

            opened = read_run(place / "features")
            spec = read_run_study(opened.folder)
            inputs = _inputs(opened, spec)
            model = fit_table_model(inputs, other, train, spec, seed)
            return lambda rows: model.probabilities(inputs, rows)

        anew = replace(refit, fit=fit)
        nested = {k: p[None] for k, p in fit_nested(anew).items()}
        members = refit.predictions.probabilities[None]
        rows = Rows(members, y, refit.table.group_codes, fold)
        chain = (Candidate("mean", "vector"),)
        return crossfit_nested(lambda r: fit_candidates(r, chain), rows, nested)[fold == 0]

    assert np.array_equal(output(labels), output(swapped))


def test_nested_and_ordinary_are_one_where_members_do_not_depend_on_the_fold() -> None:
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(3), (2, 60))
    rows = Rows(p, rng.integers(0, 3, 60), np.arange(60), np.arange(60) % 3)
    fit = lambda r: fit_candidates(r, (Candidate("weights", "temperature"),))  # noqa: E731
    same = crossfit_nested(fit, rows, dict.fromkeys(range(3), p))
    assert np.array_equal(same, crossfit_rows(fit, rows).output)


def test_an_ensemble_tells_and_keeps_both(made) -> None:
    place, _ = made
    done = ensemble(
        ["features", "meta"], settings=PLAIN, evaluation=FEW, runs_dir=place, nested_members=True,
        store_dir=place / "store",
    )  # fmt: skip
    kept = NestedMembersRecord.read(done.run.folder)
    assert kept == done.nested
    assert [line.name for line in kept.lines] == ["ensemble", "mean + temperature"]
    assert kept.lines[0].ordinary["log_loss"] == done.found.board[0].figures["log_loss"]
    assert [(m.name, m.fits) for m in kept.members] == [("features", 3), ("meta", 3)]
    manifest = json.loads((done.run.folder / "manifest.json").read_text())
    assert any("nested members" in note for note in manifest["notes"])
    assert "nested_members.json" in manifest["files"]
    for member in kept.members:
        loss, accuracy = member.anew["log_loss"], member.anew["accuracy"]
        assert loss.low <= loss.value <= loss.high
        assert 0 <= accuracy.low <= accuracy.value <= accuracy.high <= 1
    again = ensemble(
        ["features", "meta"], settings=PLAIN, evaluation=FEW, runs_dir=place, overwrite=True
    )
    assert again.nested is None
    assert not (done.run.folder / "nested_members.json").exists()


def test_what_cannot_be_fitted_anew_is_named_before_anything_is_written(made) -> None:
    place, table = made

    def refused(error, words, *members, **more):
        with pytest.raises(error, match=words):
            ensemble(
                members, settings=PLAIN, evaluation=FEW, runs_dir=place, nested_members=True,
                store_dir=place / "store", **more,
            )  # fmt: skip
        assert not (place / "ensemble").exists()

    done = ensemble(["features", "meta"], settings=PLAIN, evaluation=FEW, runs_dir=place, name="e")
    refused(StudyError, r"e \(a run of `ensemble`\) cannot be fitted anew", "e", "meta")
    csv = place / "oof.csv"
    csv.write_bytes((done.run.folder / "oof.csv").read_bytes())
    refused(StudyError, r"oof.csv \(a file of predictions\)", "features", csv)
    run(place, table, study(inputs="features"), drawn()[1], "memory")
    refused(StudyError, "run memory were given in memory", "memory", "meta")
    spec = study(inputs="metadata", metadata=("age",)).override({"split": {"folds": 2}})
    run(place, table, spec, None, "two")
    refused(StudyError, "two has 2 folds", "two")
    spec = study(inputs="metadata", metadata=("age",)).override({"split": {"seed": 5}})
    run(place, table, spec, None, "other")
    refused(StudyError, "other was made with other folds", "features", "other")
    table_x = drawn()[1] * 2
    table_x.to_csv(place / "x.csv")
    refused(RunError, "not what run features was made from", "features", "meta")


def test_intervals_that_count_training_are_no_narrower(made) -> None:
    place, table = made
    (refit,) = prepare_refits([place / "features"], [], [], place / "store")
    rows = Rows(
        refit.predictions.probabilities[None], table.labels, refit.table.group_codes,
        refit.folds.fold,
    )  # fmt: skip
    nested = {k: p[None] for k, p in fit_nested(refit).items()}
    found = intervals_anew(rows, 0, nested, 0.95)
    loss = -np.log(rows.members[0][np.arange(len(rows)), rows.labels])
    groups = np.bincount(rows.groups, weights=loss - loss.mean())
    naive = np.sqrt(len(groups) / (len(groups) - 1) * (groups**2).sum()) / len(loss)
    assert found["log_loss"].high - found["log_loss"].low >= 2 * 1.95 * naive
