"""Members from tables: features made elsewhere and metadata, without an image or a framework."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ensemble_kit.core.errors import DataError, EnsembleKitError, RunError, StudyError
from ensemble_kit.core.records import ImageTable
from ensemble_kit.data.encoding import ColumnEncoder, encode, fit_encoder
from ensemble_kit.data.features import read_features
from ensemble_kit.data.giveaways import giveaway
from ensemble_kit.runs.folder import read_run
from ensemble_kit.study import StudySpec
from ensemble_kit.training.preparing import Resources
from ensemble_kit.training.table_member import read_table_model
from ensemble_kit.training.trees import Trees, fit_trees
from ensemble_kit.workflows.cross_validation import cross_validate
from ensemble_kit.workflows.cv_tables import read_table_run


def drawn(n: int = 240) -> tuple[ImageTable, pd.DataFrame]:
    rng = np.random.default_rng(1)
    labels = np.arange(n) // 2 % 3
    ids = np.array([f"i{k:04d}" for k in range(n)])
    empty = np.full(n, "")
    age = np.where(rng.random(n) < 0.1, "", (40 + 9 * labels + rng.integers(0, 30, n)).astype(str))
    slices = {
        "age": age,
        "sex": rng.choice(["male", "female", ""], n),
        "site": rng.choice(["arm", "leg", "back"], n),
        "dx_type": np.where(labels == 0, "follow_up", "histo"),
        "hint": np.where(labels == 0, "zero", "other"),
    }
    groups = np.array([f"g{k // 2:04d}" for k in range(n)])
    table = ImageTable(ids, groups, labels, ("a", "b", "c"), groups, empty, empty, slices)
    x = np.eye(3)[labels] @ rng.normal(size=(3, 8)) + rng.normal(size=(n, 8))
    return table, pd.DataFrame(x, index=pd.Index(ids, name="image"))


def study(**model: object) -> StudySpec:
    spec = StudySpec().override({"split": {"folds": 3}, "evaluation": {"replicates": 0}})
    return spec.override({"model": model, "evaluation": {"malignant": ()}})


def run(place: Path, table: ImageTable, spec: StudySpec, features=None, name="m"):
    return cross_validate(
        table, spec, features=features, name=name, runs_dir=place, resources=Resources(place / "s")
    )


def test_a_features_run_is_a_run_its_models_are_read_back_and_rows_are_found_by_id(tmp_path):
    table, x = drawn()
    done = run(tmp_path, table, study(), x.sample(frac=1, random_state=0))
    found = read_run(done.folder)
    assert (found.manifest.kind, found.manifest.status) == ("cv", "complete")
    assert (found.predictions.probabilities.argmax(1) == table.labels).mean() > 0.6
    inputs = read_table_run(table, study(inputs="features"), x, None, tmp_path).inputs
    for k in range(3):
        held = np.flatnonzero(found.folds.fold == k)
        again = read_table_model(done.folder / f"fold_{k}").probabilities(inputs, held)
        assert np.abs(again - found.predictions.probabilities[held]).max() < 1e-7
    assert run(tmp_path, table, study(), x).folder == done.folder
    with pytest.raises(RunError, match="features or metadata are others"):
        run(tmp_path, table, study(), x * 2)


@pytest.mark.parametrize("head", ["probe", "network"])
def test_labels_of_a_fold_do_not_reach_its_own_rows(tmp_path, head):
    table, x = drawn()
    spec = study(inputs="features", metadata=("age", "sex"), hidden_units=4)
    spec = spec.override({"training": {"head": head}})
    first = run(tmp_path, table, spec, x, "one")
    folds = first.record.folds
    labels = table.labels.copy()
    held = np.flatnonzero(folds.fold == 0)
    labels[held] = labels[held][::-1]
    groups = table.image_ids
    other = replace(table, labels=labels, groups=groups)
    plain = replace(table, groups=groups)
    free = type(folds)(table.image_ids, groups, folds.fold, 3)
    a, b = (
        cross_validate(t, spec, features=x, folds=free, name=n, runs_dir=tmp_path,
                       resources=Resources(tmp_path / "s"))
        for t, n in ((plain, "a"), (other, "b"))
    )  # fmt: skip
    ours, theirs = (read_run(r.folder).predictions.probabilities[held] for r in (a, b))
    assert np.array_equal(ours, theirs)


def test_features_unlike_all_others_are_new_in_direction_and_in_size(tmp_path):
    table, x = drawn()
    done = run(tmp_path, table, study(), x)
    usual = done.predict(features=x)["novelty"]
    assert 30 < usual.mean() < 70
    one = np.eye(8)[0] * 40
    for strange in (x + one, x - one, x * 30):
        assert done.predict(features=strange)["novelty"].min() > 95


@pytest.mark.parametrize("head", ["probe", "network"])
def test_the_unit_of_a_column_does_not_matter(tmp_path, head):
    table, x = drawn()
    x = x.astype(np.float32)
    units = np.float32([2.0**20, 1, 1, 1, 1, 1, 1, 2.0**-14])
    spec = study(hidden_units=8).override({"training": {"head": head}})
    found = [
        run(tmp_path, table, spec, given, name).record.predictions.probabilities
        for name, given in (("a", x), ("b", x * units))
    ]
    assert np.abs(found[0] - found[1]).max() < 1e-4


def test_metadata_alone_is_a_member_that_no_pickle_keeps(tmp_path):
    table, _ = drawn()
    done = run(tmp_path, table, study(inputs="metadata", metadata=("age", "sex", "localization")))
    assert sorted(p.name for p in (done.folder / "fold_0").iterdir()) == [
        "done.json", "encoders.json", "predictions.csv", "table_model.npz",
    ]  # fmt: skip
    found = read_run(done.folder)
    spec = study(inputs="metadata", metadata=("age", "sex", "site"))
    inputs = read_table_run(table, spec, None, None, tmp_path).inputs
    held = np.flatnonzero(found.folds.fold == 1)
    again = read_table_model(done.folder / "fold_1").probabilities(inputs, held)
    assert np.abs(again - found.predictions.probabilities[held]).max() < 1e-7


@pytest.mark.parametrize("n_classes", [2, 4])
def test_trees_say_what_scikit_learn_says(n_classes):
    from sklearn.ensemble import HistGradientBoostingClassifier

    from ensemble_kit.training import trees

    rng = np.random.default_rng(0)
    x = np.round(rng.normal(size=(400, 5)), 1)
    y = rng.integers(0, n_classes, 400) * (x[:, 0] > 0)
    model = HistGradientBoostingClassifier(
        learning_rate=trees.RATE, max_iter=trees.ROUNDS, max_leaf_nodes=trees.LEAVES,
        min_samples_leaf=trees.LEAST_ROWS, l2_regularization=trees.L2, early_stopping=False,
    ).fit(x, y, np.ones(400))  # fmt: skip
    ours = fit_trees(x, y, np.ones(400), n_classes + 1, 0)
    p = Trees.of_arrays(ours.arrays()).probabilities(x)
    assert np.allclose(p[:, model.classes_], model.predict_proba(x), atol=1e-12)
    assert p[:, n_classes].max() == 0


def test_missing_is_a_value_of_its_own_and_counts_for_what_training_never_had():
    encoder = fit_encoder("sex", np.array(["f", "m", "", "f"]))
    rows = np.array(["m", "", "x"])
    assert encode([encoder], {"sex": rows}).tolist() == [[0, 1, 0], [0, 0, 1], [0, 0, 1]]
    assert encoder.unseen(rows) == ["x"]
    number = fit_encoder("age", np.array([str(k) for k in range(11)]))
    assert np.allclose(number.encode(np.array(["5", "", "old"])), [[0, 0, 0], [0, 1, 0], [0, 1, 0]])
    whole = fit_encoder("sex", np.array(["f", "m", "f", "f"]))
    assert whole.encode(np.array(["m", "", "x"])).tolist() == [
        [0, 1, 0], [0.75, 0.25, 0], [0.75, 0.25, 0],
    ], "where none was missing, the mean of training stands for what is not known"  # fmt: skip
    assert ColumnEncoder.from_json(whole.to_json()) == whole


def test_columns_that_give_the_label_away_are_refused_by_name_and_by_measure(tmp_path):
    table, _ = drawn()
    assert "only with the diagnosis" in giveaway("dx_type", table.slices["dx_type"], table)
    assert "are a" in giveaway("hint", table.slices["hint"], table)
    assert not any(giveaway(n, table.slices[n], table) for n in ("age", "sex", "site"))
    spec = study(inputs="metadata", metadata=("age", "hint"))
    with pytest.raises(DataError, match=r"hint .*--metadata-anyway"):
        run(tmp_path, table, spec)
    assert not (tmp_path / "m").exists()
    done = run(tmp_path, table, spec.override({"model": {"metadata_anyway": ("hint",)}}))
    assert any("by force" in text for text in done.warnings)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda x: x.iloc[1:], "no features for i0000"),
        (lambda x: pd.concat([x, x.iloc[:1].rename({"i0000": "zz"})]), "zz not in the data"),
        (lambda x: pd.concat([x, x.iloc[:1]]), "i0000 listed more than once"),
        (lambda x: x.assign(t="text"), "column t holds text"),
        (lambda x: x * 0, "every column has one value"),
        (lambda x: x.mask(x == x.iloc[3, 0]), "NaN or infinite values in the rows of i0003"),
        (lambda x: x.mask(x == x.iloc[3, 0], np.inf), "NaN or infinite"),
        (lambda x: x.reset_index(drop=True), "no column of image ids"),
        (lambda x: x.rename({"i0001": ""}), "without an id"),
    ],
)
def test_bad_features_are_one_sentence_before_anything_is_written(tmp_path, spoil, said):
    table, x = drawn()
    with pytest.raises(DataError, match=said):
        run(tmp_path, table, study(), spoil(x))
    assert not (tmp_path / "m").exists()


def test_columns_of_one_value_are_left_out_and_said(tmp_path):
    table, x = drawn()
    told = []
    kept = run(tmp_path, table, study(), x, "kept")
    dead = cross_validate(
        table, study(), features=x.assign(dead=0.0), name="dead", runs_dir=tmp_path,
        resources=Resources(tmp_path / "s"), tell=lambda kind, **facts: told.append((kind, facts)),
    )  # fmt: skip
    a, b = (read_run(r.folder).predictions.probabilities for r in (kept, dead))
    assert np.array_equal(a, b)
    said = next(facts["notes"] for kind, facts in told if kind == "read")
    assert "1 column of the features (dead) left out" in said[0]
    assert any("dead" in note for note in dead.manifest.notes)


def test_a_cluster_has_no_effect_on_tables_and_that_is_said(tmp_path):
    table, x = drawn()
    told = []
    spec = study().override({"cluster": {"executor": "dask", "address": "tcp://nowhere:1"}})
    cross_validate(
        table, spec, features=x, name="m", runs_dir=tmp_path, resources=Resources(tmp_path / "s"),
        tell=lambda kind, **facts: told.append((kind, facts)),
    )  # fmt: skip
    notes = [note for kind, facts in told if kind == "read" for note in facts["notes"]]
    assert "a model of a table is fitted on this machine: [cluster] has no effect" in notes


def test_what_does_not_fit_together_is_said(tmp_path):
    table, x = drawn()
    cases = [
        (study(inputs="metadata"), None, "needs columns"),
        (study(inputs="features"), None, "give --features"),
        (study(inputs="metadata", metadata=("weight",)), None, "no such column"),
    ]
    for spec, features, said in cases:
        with pytest.raises(EnsembleKitError, match=said):
            run(tmp_path, table, spec, features)
    with pytest.raises(StudyError, match="--leak-audit"):
        cross_validate(table, study(), features=x, leak_audit=True, runs_dir=tmp_path, name="m")


def test_npz_and_csv_give_the_same_and_objects_are_never_unpickled(tmp_path):
    table, x = drawn()
    ids = table.image_ids
    np.savez(tmp_path / "f.npz", ids=ids, x=x.to_numpy(np.float32))
    x.astype(np.float32).to_csv(tmp_path / "f.csv")
    a, b = (read_features(tmp_path / name) for name in ("f.npz", "f.csv"))
    assert np.array_equal(a.x, b.x)
    assert np.array_equal(a.image_ids, b.image_ids)
    np.savez(tmp_path / "o.npz", ids=ids.astype(object), x=x.to_numpy())
    with pytest.raises(DataError, match="never loaded"):
        read_features(tmp_path / "o.npz")


def test_an_old_image_study_keeps_its_digest():
    spec = StudySpec()
    model = {n: v for n, v in spec.model.model_dump().items()
             if n not in ("inputs", "metadata", "metadata_anyway", "hidden_units")}  # fmt: skip
    assert spec._model_as_ever() == model
    assert study(metadata=("age",)).digest != study().digest


def test_features_as_spreadsheets_save_them(tmp_path):
    numbers = {"x0": [0.5, 1.25, -2.0], "x1": [1.0, 2.0, 3.0]}
    plain = pd.DataFrame({"image": ["007", "8", "9"]} | numbers)
    plain.to_csv(tmp_path / "plain.csv", index=False)
    plain.to_csv(tmp_path / "wide.csv", index=False, encoding="utf-16")
    plain.to_csv(tmp_path / "points.csv", index=False, sep=";", decimal=",")
    plain.to_csv(tmp_path / "tabs.csv", index=False, sep="\t")
    plain.to_csv(tmp_path / "f1252.csv", index=False, encoding="utf-16")
    text = plain.to_csv(index=False, sep=";")
    (tmp_path / "excel.csv").write_text("sep=;\n" + text, encoding="utf-8")
    (tmp_path / "comment.csv").write_text("# made, by hand\n" + text, encoding="utf-8")
    wanted = read_features(tmp_path / "plain.csv")
    assert wanted.image_ids.tolist() == ["007", "8", "9"]
    for name in ("wide.csv", "points.csv", "tabs.csv", "f1252.csv", "excel.csv", "comment.csv"):
        read = read_features(tmp_path / name)
        np.testing.assert_array_equal(read.x, wanted.x)
        assert read.image_ids.tolist() == wanted.image_ids.tolist()
        assert read.names == wanted.names
    (tmp_path / "old.csv").write_bytes("image,größe\nä,1\n".encode("cp1252"))
    with pytest.raises(DataError, match="save the table as UTF-8"):
        read_features(tmp_path / "old.csv")
