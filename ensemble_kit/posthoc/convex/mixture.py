"""Convex weights of a mixture by maximum likelihood."""

from dataclasses import dataclass

import numpy as np

from ensemble_kit.core.records import Floats
from ensemble_kit.posthoc.convex.newton import Slope, minimise

TINY = 1e-12


@dataclass(frozen=True, eq=False)
class _MixtureLoss:
    """-mean log(A w) + Σ w over w ≥ 0: scaling w shows that its minimiser sums to 1."""

    likelihoods: Floats

    def slope(self, theta: Floats) -> Slope:
        mixed: Floats = self.likelihoods @ theta
        if not (mixed > 0).all():
            return Slope(np.inf, np.zeros_like(theta))
        gradient = 1.0 - (self.likelihoods.T @ (1.0 / mixed)) / len(mixed)
        return Slope(float(-np.log(mixed).mean() + theta.sum()), gradient)

    def hessian(self, theta: Floats) -> Floats:
        scaled: Floats = self.likelihoods / (self.likelihoods @ theta)[:, None]
        return np.asarray(scaled.T @ scaled / len(scaled))


def mixture_weights(likelihoods: Floats) -> Floats:
    """The weights (M,) on the simplex that maximise Σ_i log Σ_m w_m A_im.

    likelihoods : (n, M) A, what each member gives the outcome that came; non-negative. Solved to
    the optimum: no member's mean ratio A_im / (A w)_i exceeds 1 by more than about 1e-8, which
    bounds the loss above its minimum by as much (Cover, "An algorithm for maximizing expected log
    investment return", 1984).
    """
    floored = np.maximum(likelihoods, TINY)
    members = likelihoods.shape[1]
    start = np.full(members, 1.0 / members)
    weights = minimise(_MixtureLoss(floored), start, lower=np.zeros(members))
    kept: Floats = np.where(weights < 1e-10, 0.0, weights)
    return np.asarray(kept / kept.sum())
