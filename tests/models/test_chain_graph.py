"""The chain as layers is the chain as arrays, whatever it is made of."""

import numpy as np
import pytest

from ensemble_kit.core.errors import RunError
from ensemble_kit.posthoc.calibration.prior import fit_prior_shift
from ensemble_kit.posthoc.conformal.sets import fit_sets
from ensemble_kit.posthoc.conformal.spec import SetSpec
from ensemble_kit.posthoc.crossfit import Rows
from ensemble_kit.posthoc.selection.catalogue import CALIBRATORS, METHODS, Candidate
from ensemble_kit.posthoc.selection.decision import Decision
from ensemble_kit.posthoc.selection.fitted import Combination, fit_candidates
from ensemble_kit.workflows.saved_ensemble import Bundle

keras = pytest.importorskip("keras")

N, C, M = 240, 4, 3


def rows():
    random = np.random.default_rng(3)
    labels = random.integers(0, C, N)
    scores = random.normal(0, 1, (M, N, C)) + 1.5 * np.eye(C)[labels]
    p = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    return Rows(p, labels, np.arange(N), np.arange(N) % 4)


def combined(*pairs, shift=None):
    chains = fit_candidates(rows(), tuple(Candidate(*pair) for pair in pairs)).chains
    weights = np.arange(1.0, len(chains) + 1)
    return Combination(chains, weights / weights.sum(), shift)


def by_graph(chain, members):
    """members : one list of fold models' probabilities (n, C) a member."""
    from ensemble_kit.models.chain_graph import chain_output

    inputs = [[keras.Input((C,)) for _ in folds] for folds in members]
    model = keras.Model([x for folds in inputs for x in folds], chain_output(chain, inputs))
    flat = [p.astype(np.float32) for folds in members for p in folds]
    return model.predict_on_batch(flat)


EXACT = ("none", "temperature", "bias", "vector", "dirichlet", "matrix", "beta")
WITHOUT = ("ranks", "trimmed-mean")


@pytest.mark.parametrize("method", [name for name in METHODS if name not in WITHOUT])
def test_every_method(method):
    check(combined((method, "temperature")))


@pytest.mark.parametrize("calibrator", EXACT)
def test_every_exact_calibrator(calibrator):
    check(combined(("mean", calibrator)))


def test_a_mean_of_several_chains_with_a_prior_shift():
    shift = fit_prior_shift(rows().labels, np.array([0.7, 0.1, 0.1, 0.1]))
    check(combined(("mean", "bias"), ("greedy", "vector"), shift=shift))


def check(chain):
    data = rows()
    found = by_graph(chain.to_json(), [[p] for p in data.members])
    assert np.abs(found - chain.apply(data.members)).max() < 2e-6


def test_fold_models_go_through_the_chain_one_by_one():
    chain = combined(("log-weights", "bias"))
    data = rows()
    names = ("a", "b", "c")
    classes = tuple("wxyz")
    sets = fit_sets(data.members[0], data.labels, data.groups, SetSpec())
    bundle = Bundle(names, classes, chain, Decision(np.ones(C), 0.0), sets)
    random = np.random.default_rng(0)
    folds = [random.dirichlet(np.ones(C), (k, 50)) for k in (2, 3, 1)]
    expected = bundle.apply_folds(dict(zip(names, folds, strict=True)))
    assert np.abs(by_graph(chain.to_json(), folds) - expected).max() < 2e-6


@pytest.mark.parametrize(
    "pair",
    [("ranks", "none"), ("trimmed-mean", "none")]
    + [("mean", c) for c in CALIBRATORS if c not in EXACT],
)
def test_what_has_no_exact_form_is_refused(pair):
    chain = combined(pair)
    with pytest.raises(RunError, match="no exact form"):
        by_graph(chain.to_json(), [[p] for p in rows().members])
