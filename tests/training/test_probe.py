"""The linear probe: floor of the network, start of its last blocks, the network at depth 0."""

import dataclasses

import numpy as np
import pytest

from ensemble_kit.data.predictions import read_predictions
from ensemble_kit.runs.folds import fold_predictions
from ensemble_kit.training.fold import train_fold
from ensemble_kit.training.head import score_shift
from ensemble_kit.training.phases import cosine_share
from ensemble_kit.training.probe import fit_probe, inner_folds, shifted
from tests.training.test_fold import job_of, probabilities

keras = pytest.importorskip("keras")
SOLVED = {"head": "probe", "early_stopping": "none", "schedule": "cosine",
          "augment": "dihedral", "views": 3, "test_views": 0}  # fmt: skip


def solved(spec, depth, **training):
    return spec.override({"model": {"unfreeze_depth": depth}, "training": SOLVED | training})


def probe_rows(job):
    return read_predictions(job.folder / "probe.csv").probabilities


def test_at_depth_0_the_network_is_the_probe(tmp_path, table, folds, spec):
    job = job_of(solved(spec, 0, logit_adjustment=0.4), table, folds, tmp_path)
    network = probabilities(job)
    np.testing.assert_allclose(network, probe_rows(job), atol=1e-5)
    assert np.ptp(network, axis=0).max() > 0.1, "a constant prediction would agree with anything"
    model = keras.models.load_model(job.folder / "model.keras")
    raw = np.asarray(job.pixels.open()[job.held])
    identity = read_predictions(job.folder / "identity_view.csv").probabilities
    assert np.abs(model.predict(raw, verbose=0) - identity).max() <= 1e-4


def test_training_starts_at_the_probe_and_repeats_to_the_byte(tmp_path, table, folds, spec):
    still = job_of(solved(spec, 2, fine_tune_lr=1e-12), table, folds, tmp_path / "a")
    np.testing.assert_allclose(probabilities(still), probe_rows(still), atol=1e-4)
    job = job_of(solved(spec, 2), table, folds, tmp_path / "b")
    moved = probabilities(job)
    assert np.abs(moved - probe_rows(job)).max() > 0.01
    again = dataclasses.replace(job, folder=tmp_path / "again")
    train_fold(again)
    for name in ("predictions.csv", "probe.csv"):
        assert (job.folder / name).read_bytes() == (again.folder / name).read_bytes()
    assert (job.folder / "history.csv").read_text().count("head,") == 1


@pytest.mark.parametrize("depth", [0, 2])
def test_without_stores_the_probe_is_solved_on_features_of_the_pixels(
    tmp_path, table, folds, spec, depth
):
    asked = solved(spec, depth)
    stored = probabilities(job_of(asked, table, folds, tmp_path))
    job = job_of(asked, table, folds, tmp_path, end_to_end=True)
    assert np.abs(stored - probabilities(job)).max() <= 2e-3
    assert (job.folder / "probe.csv").is_file()


def test_online_augmentation_has_a_probe_too(tmp_path, table, folds, spec):
    job = job_of(solved(spec, 0, augment="online", test_views=2), table, folds, tmp_path,
                 end_to_end=True)  # fmt: skip
    np.testing.assert_allclose(probabilities(job), probe_rows(job), atol=1e-4)


def test_a_head_of_epochs_has_the_probe_beside_it(tmp_path, table, folds, spec):
    job = job_of(spec, table, folds, tmp_path)
    network = probabilities(job)
    assert np.abs(network - probe_rows(job)).max() > 1e-3
    searched = dataclasses.replace(job, folder=tmp_path / "trial", keep_model=False)
    assert fold_predictions(job.folder).probabilities.shape == probabilities(searched).shape
    assert not (searched.folder / "probe.csv").exists()


def test_inner_folds_keep_groups_whole_and_classes_spread():
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 60, 400)
    labels = groups % 3
    fold = inner_folds(groups, labels, 4, rng)
    for group in np.unique(groups):
        assert len(np.unique(fold[groups == group])) == 1
    for label in range(3):
        of_class = [len(np.unique(groups[(labels == label) & (fold == k)])) for k in range(4)]
        assert max(of_class) - min(of_class) <= 1


def test_the_penalty_grows_where_features_say_nothing():
    rng = np.random.default_rng(0)
    n = 240
    labels, groups = np.arange(n) % 3, np.arange(n)
    noise = rng.normal(size=(n, 50)).astype(np.float32)
    told = noise + 3 * np.eye(3, 50, dtype=np.float32)[labels]
    ones = np.ones(n, np.float32)
    found = [
        fit_probe(lambda rows, view, x=x: x[rows], np.arange(n), 1, labels, groups, ones, 3,
                  np.random.default_rng(1))
        for x in (noise, told)
    ]  # fmt: skip
    assert found[0].ridge > found[1].ridge
    assert found[1].inner_loss < 0.5 < found[0].inner_loss
    np.testing.assert_allclose(found[0].probabilities(noise).mean(axis=0), 1 / 3, atol=0.02)


@pytest.mark.parametrize("told", [0.3, 1.5])
def test_the_penalty_is_that_of_fits_run_to_the_end(told):
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    rng = np.random.default_rng(0)
    n = 400
    labels, groups = rng.choice(3, n, p=[0.6, 0.3, 0.1]), np.arange(n) // 2
    x = (rng.normal(size=(n, 60)) + told * np.eye(3, 60)[labels]).astype(np.float32)
    found = fit_probe(lambda rows, view: x[rows], np.arange(n), 1, labels, groups,
                      np.ones(n, np.float32), 3, np.random.default_rng(1))  # fmt: skip
    inner = inner_folds(groups, labels, 4, np.random.default_rng(1))
    z = ((x - x.mean(0)) / x.std(0)).astype(np.float64)

    def left_out(ridge):
        p = np.empty((n, 3))
        for k in range(4):
            rest = inner != k
            peer = LogisticRegression(C=1 / (ridge * rest.sum()), max_iter=20_000, tol=1e-9)
            p[~rest] = peer.fit(z[rest], labels[rest]).predict_proba(z[~rest])
        return log_loss(labels, p)

    assert found.inner_loss == pytest.approx(left_out(found.ridge), abs=1e-3)
    for factor in (0.5, 2.0):
        assert left_out(found.ridge * factor) > found.inner_loss - 1e-3


def test_logit_adjustment_divides_by_frequencies(spec):
    labels = np.array([0, 0, 0, 1])
    training = spec.override({"training": {"logit_adjustment": 1.0}}).training
    shift = score_shift(labels, np.arange(4), 2, training)
    even = shifted(np.array([[0.75, 0.25]]), shift)
    np.testing.assert_allclose(even, [[0.5, 0.5]])
    absent = score_shift(labels, np.array([0, 1, 2]), 2, training)
    assert np.isfinite(absent).all()


def test_the_rate_rises_then_falls_to_nothing():
    shares = [cosine_share(step, 100, 0.1) for step in range(100)]
    assert shares[0] == pytest.approx(0.1)
    assert max(shares) == shares[10] == pytest.approx(1.0)
    assert shares[-1] < 0.001
    assert shares[10:] == sorted(shares[10:], reverse=True)
    assert cosine_share(0, 100, 0.0) == 1.0
