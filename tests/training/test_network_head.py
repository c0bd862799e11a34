"""The network head on features: what a linear head cannot say, stopped by rows it has not seen."""

import numpy as np
import pandas as pd
import pytest

from ensemble_kit.core.errors import StudyError
from ensemble_kit.runs.folder import read_run
from ensemble_kit.study import StudySpec
from ensemble_kit.training.network_head import fit_network
from tests.workflows.test_cv_tables import drawn, run, study

SPEC = StudySpec().override({"training": {"head": "network"}, "model": {"hidden_units": 16}})


def crossed(n=600, seed=0):
    """Two classes by the sign of a product, of which no line tells anything; groups of two."""
    rng = np.random.default_rng(seed)
    x = (rng.normal(size=(n, 6)) * [3, 1, 1, 1, 1, 1] + 5).astype(np.float32)
    return x, ((x[:, 0] > 5) ^ (x[:, 1] > 5)).astype(np.int64), np.arange(n) // 2


def fitted(x, labels, groups, spec=SPEC, weights=None, rows=None):
    rows = np.arange(len(x)) if rows is None else rows
    weights = np.ones(len(x), np.float32) if weights is None else weights
    return fit_network(
        lambda rows: x[rows], rows, labels, groups, weights, 2, spec, np.random.default_rng(3)
    )


def test_it_says_what_no_line_can_and_the_same_again():
    x, labels, groups = crossed()
    ours = fitted(x, labels, groups, rows=np.arange(400))
    p = ours.probabilities(x[400:])
    assert (p.argmax(axis=1) == labels[400:]).mean() > 0.8, "a line: 0.5"
    assert np.allclose(p.sum(axis=1), 1)
    again = fitted(x, labels, groups, rows=np.arange(400))
    for name, value in ours.arrays().items():
        assert value.tobytes() == again.arrays()[name].tobytes()
    other = x.copy()
    other[400:] = 0
    turned = np.where(np.arange(len(x)) < 400, labels, 1 - labels)
    unseen = fitted(other, turned, groups, rows=np.arange(400))
    assert unseen.hidden.tobytes() == ours.hidden.tobytes(), "rows outside have no say"


def test_each_network_stops_where_the_groups_it_was_not_given_say():
    x, _, groups = crossed(300)
    noise = np.random.default_rng(1).integers(0, 2, 300)
    spec = SPEC.override({"model": {"hidden_units": 200, "dropout": 0.0}})
    found = fitted(x, noise, groups, spec)
    assert found.epochs.shape == (4,)
    assert found.epochs.max() < 60, "nothing to learn: far before the last epoch"
    assert found.inner_loss == pytest.approx(np.log(2), abs=0.06)
    p = found.probabilities(x)[np.arange(300), noise]
    learnt = fitted(x, noise, np.zeros(300, np.int64), spec)
    q = learnt.probabilities(x)[np.arange(300), noise]
    assert len(learnt.epochs) == 1, "one group leaves none to stop by"
    assert np.log(q).mean() > np.log(p).mean() + 0.1


def test_weights_count_and_the_scale_of_a_column_does_not():
    x, labels, groups = crossed()
    rare = np.where(labels == 1, 5.0, 0.5).astype(np.float32)
    noise = np.random.default_rng(1).normal(size=x.shape).astype(np.float32)
    even = fitted(noise, labels, groups).probabilities(noise)[:, 1].mean()
    weighed = fitted(noise, labels, groups, weights=rare).probabilities(noise)[:, 1].mean()
    assert weighed > even + 0.2
    scaled = x * np.array([1024, 1, 1, 1, 1, 1 / 1024], np.float32)
    p, q = fitted(x, labels, groups), fitted(scaled, labels, groups)
    assert np.abs(p.probabilities(x) - q.probabilities(scaled)).max() < 1e-4


def test_a_rate_that_diverges_is_one_sentence():
    x, labels, groups = crossed(60)
    with pytest.raises(StudyError, match=r"diverged in epoch 1: lower training\.head_lr"):
        fitted(x, labels, groups, weights=np.full(60, np.inf, np.float32))


def test_a_run_has_the_linear_probe_beside_it_and_its_models_are_read_back(tmp_path):
    table, _ = drawn(400)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 5))
    x[:, 0] += 4 * (table.labels == 1) - 4 * (table.labels == 2) * np.sign(x[:, 1])
    frame = pd.DataFrame(x, index=pd.Index(table.image_ids, name="image"))
    spec = study(hidden_units=32).override({"training": {"head": "network"}})
    done = run(tmp_path, table, spec, frame)
    rows = {row["metric"]: row for row in done.manifest.facts["against_probe"]}
    assert rows["log_loss"]["difference"] < -0.1
    assert "four networks of 32 hidden units" in done.manifest.notes[0]
    found = read_run(done.folder)
    linear = run(tmp_path, table, study(), frame, "linear")
    probe = pd.read_csv(done.folder / "probe.csv")["a"].to_numpy()
    assert np.allclose(probe, read_run(linear.folder).predictions.probabilities[:, 0], atol=1e-9)
    again = done.predict(features=frame, fold=1)
    held = found.folds.held_out(1)
    assert np.abs(again[["a", "b", "c"]].to_numpy()[held] - found.predictions.probabilities[held]
                  ).max() < 1e-6  # fmt: skip


def test_it_is_for_features_alone(tmp_path):
    table, _ = drawn()
    network = {"training": {"head": "network"}}
    with pytest.raises(StudyError, match="give --features FILE"):
        run(tmp_path, table, study().override(network))
    with pytest.raises(StudyError, match="for metadata alone leave --head out"):
        run(tmp_path, table, study(inputs="metadata", metadata=("age",)).override(network))
    assert not (tmp_path / "m").exists()


def test_hidden_units_leave_the_digest_of_studies_without_them():
    assert study(hidden_units=64).digest == study().digest
    network = study().override({"training": {"head": "network"}})
    assert network.override({"model": {"hidden_units": 64}}).digest != network.digest
