"""Metadata inside a network: joined to the pooled features, kept beside the network."""

import dataclasses

import numpy as np
import pytest

from ensemble_kit.data.encoding import encode, fit_encoder
from ensemble_kit.data.predictions import read_predictions
from ensemble_kit.runs.folds import fold_predictions, identity_predictions
from ensemble_kit.training.fold import train_fold
from ensemble_kit.training.metadata_head import read_metadata_head, split_kernel
from ensemble_kit.training.probe import shifted
from tests.training.test_fold import job_of
from tests.training.test_probe import solved

keras = pytest.importorskip("keras")


@pytest.fixture(scope="module")
def known(table):
    """The squares with a site that says something of the class, and a sex that says nothing."""
    rng = np.random.default_rng(3)
    guess = np.where(rng.random(len(table)) < 0.6, table.labels, rng.integers(0, 3, len(table)))
    site = np.array(["arm", "leg", "back"])[guess]
    site[rng.random(len(table)) < 0.1] = ""
    slices = {"site": site, "sex": rng.choice(["f", "m"], len(table))}
    return dataclasses.replace(table, slices=slices)


def asked(spec, depth, **training):
    spec = solved(spec, depth, **training)
    return spec.override({"model": {"metadata": ("site", "sex")}})


def log_loss(job):
    p = fold_predictions(job.folder).probabilities
    return float(-np.log(p[np.arange(len(p)), job.labels[job.held]]).mean())


def test_scores_are_the_joined_head_s_and_parted_into_image_and_metadata(known):
    rng = np.random.default_rng(0)
    encoders = tuple(fit_encoder(n, c) for n, c in known.slices.items())
    coded = encode(encoders, known.slices).astype(np.float32)
    x = rng.normal(size=(len(known), 4)).astype(np.float32)
    kernel = rng.normal(size=(4 + coded.shape[1], 3)).astype(np.float32)
    bias = rng.normal(size=3).astype(np.float32)
    own, b, head = split_kernel(encoders, kernel, bias, coded)
    joined = np.hstack([x, coded]) @ kernel + bias
    parted = x @ own + b + head.shift(known.slices)
    np.testing.assert_allclose(joined, parted, atol=1e-5)
    np.testing.assert_allclose(head.shift(known.slices).mean(axis=0), 0, atol=1e-6)


def test_at_depth_0_the_run_is_the_joined_probe_and_better_for_it(tmp_path, known, folds, spec):
    known = dataclasses.replace(known, labels=np.roll(known.labels, 7))
    site = np.where(known.labels == 0, "arm", known.slices["site"])
    known = dataclasses.replace(known, slices={**known.slices, "site": site})
    job = job_of(asked(spec, 0, logit_adjustment=0.4), known, folds, tmp_path)
    train_fold(job)
    p = fold_predictions(job.folder).probabilities
    probe = read_predictions(job.folder / "probe.csv").probabilities
    np.testing.assert_allclose(p, probe, atol=1e-5)
    bare = job_of(solved(spec, 0, logit_adjustment=0.4), known, folds, tmp_path / "bare")
    train_fold(bare)
    without = read_predictions(job.folder / "without_metadata.csv").probabilities
    np.testing.assert_allclose(without, fold_predictions(bare.folder).probabilities, atol=1e-5)
    assert log_loss(job) < log_loss(bare) - 0.1
    assert {key.digest for key in job.keys} == {key.digest for key in bare.keys}


@pytest.mark.parametrize("head", ["probe", "sgd"])
def test_the_saved_network_and_what_is_kept_beside_it_give_the_run_s_rows(
    tmp_path, known, folds, spec, head
):
    spec = asked(spec, 2, head=head, augment="none", test_views=1, early_stopping="inner",
                 logit_adjustment=0.4)  # fmt: skip
    job = job_of(spec, known, folds, tmp_path)
    train_fold(job)
    first = {f.name: f.read_bytes() for f in job.folder.glob("*.csv")}
    first |= {f.name: f.read_bytes() for f in job.folder.glob("*head.npz")}
    model = keras.models.load_model(job.folder / "model.keras")
    own = model.predict(np.asarray(job.pixels.open()[job.held]), verbose=0).astype(np.float64)
    assert np.abs(own - identity_predictions(job.folder).probabilities).max() < 1e-4
    head = read_metadata_head(job.folder)
    shift = head.shift({name: column[job.held] for name, column in known.slices.items()})
    p = fold_predictions(job.folder).probabilities
    assert np.abs(shifted(own, shift) - p).max() < 1e-4
    assert np.abs(own - p).max() > 0.02, "else metadata would do nothing"
    train_fold(job)
    del first["history.csv"]
    assert all((job.folder / name).read_bytes() == b for name, b in first.items())


def test_stored_and_end_to_end_agree_with_metadata(tmp_path, known, folds, spec):
    spec = asked(spec, 2, augment="none")
    stored, whole = (job_of(spec, known, folds, tmp_path, end_to_end=e) for e in (False, True))
    p, q = ((train_fold(j), fold_predictions(j.folder).probabilities)[1] for j in (stored, whole))
    assert np.abs(p - q).max() <= 1e-4


def test_metadata_of_held_out_rows_reaches_no_weight(tmp_path, known, folds, spec):
    spec = asked(spec, 1, augment="none")
    job = job_of(spec, known, folds, tmp_path)
    site = known.slices["site"].copy()
    site[job.held] = "elsewhere"
    other = dataclasses.replace(known, slices={**known.slices, "site": site})
    changed = job_of(spec, other, folds, tmp_path / "b")
    assert changed.digest != job.digest
    for j in (job, changed):
        train_fold(j)
    for name in ("metadata_head.npz", "encoders.json", "without_metadata.csv"):
        assert (job.folder / name).read_bytes() == (changed.folder / name).read_bytes()
    a, b = (keras.models.load_model(j.folder / "model.keras").get_weights() for j in (job, changed))
    assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_the_loss_is_that_of_the_shifted_scores():
    from ensemble_kit.training.phases import _loss_of_shifted

    rng = np.random.default_rng(0)
    p, shift = rng.dirichlet(np.ones(3), 5), rng.normal(size=(5, 3))
    y = np.eye(3)[[0, 1, 2, 1, 0]]
    moved = shifted(p, shift)
    told = np.asarray(_loss_of_shifted(0.0)(np.hstack([y, shift]).astype("f4"), p.astype("f4")))
    np.testing.assert_allclose(told, -np.log((moved * y).sum(axis=1)), rtol=1e-5)
    smooth = np.asarray(_loss_of_shifted(0.3)(np.hstack([y, shift]).astype("f4"), p.astype("f4")))
    by_hand = -((0.7 * y + 0.1) * np.log(moved)).sum(axis=1)
    np.testing.assert_allclose(smooth, by_hand, rtol=1e-5)
