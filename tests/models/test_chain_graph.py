"""The chain as layers is the chain as arrays, whatever it is made of."""

import numpy as np
import pytest

from ensemble_kit.core.errors import RunError
from ensemble_kit.posthoc.crossfit import Rows
from ensemble_kit.posthoc.selection.catalogue import CALIBRATORS, METHODS, Candidate
from ensemble_kit.posthoc.selection.fitted import Chain, fit_bank

keras = pytest.importorskip("keras")

N, C, M = 240, 4, 3


def rows():
    random = np.random.default_rng(3)
    labels = random.integers(0, C, N)
    scores = random.normal(0, 1, (M, N, C)) + 1.5 * np.eye(C)[labels]
    p = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    return Rows(p, labels, np.arange(N), np.arange(N) % 4)


def by_graph(chain, members):
    from ensemble_kit.models.chain_graph import chain_output

    inputs = [keras.Input((C,)) for _ in range(M)]
    model = keras.Model(inputs, chain_output(chain, [[x] for x in inputs]))
    return model.predict_on_batch([p.astype(np.float32) for p in members])


EXACT = ("none", "temperature", "bias", "vector", "dirichlet", "matrix", "beta")


@pytest.mark.parametrize("method", [name for name in METHODS if name != "ranks"])
@pytest.mark.parametrize("calibrator", ["temperature"])
def test_every_method(method, calibrator):
    check(method, calibrator)


@pytest.mark.parametrize("calibrator", EXACT)
def test_every_exact_calibrator(calibrator):
    check("mean", calibrator)


def check(method, calibrator):
    data = rows()
    chain = fit_bank(data, (Candidate(method, calibrator),)).chains[0]
    found = by_graph(chain.to_json(), data.members)
    assert np.abs(found - chain.apply(data.members)).max() < 2e-6


def test_prior_shift_is_part_of_it():
    from ensemble_kit.posthoc.calibration.prior import fit_prior_shift

    data = rows()
    plain = fit_bank(data, (Candidate("mean", "bias"),)).chains[0]
    shift = fit_prior_shift(data.labels, np.array([0.7, 0.1, 0.1, 0.1]))
    chain = Chain(plain.candidate, plain.ensembler, plain.calibrator, shift)
    found = by_graph(chain.to_json(), data.members)
    assert np.abs(found - chain.apply(data.members)).max() < 2e-6
    assert np.abs(found - plain.apply(data.members)).max() > 0.05


@pytest.mark.parametrize("pair", [("ranks", "none"), *(("mean", c) for c in CALIBRATORS
                                                        if c not in EXACT)])  # fmt: skip
def test_what_has_no_exact_form_is_refused(pair):
    chain = fit_bank(rows(), (Candidate(*pair),)).chains[0]
    with pytest.raises(RunError, match="no exact form"):
        by_graph(chain.to_json(), rows().members)
