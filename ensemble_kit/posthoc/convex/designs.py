"""Linear maps from parameters to class scores, each with its exact derivatives.

A design turns (P,) parameters into (n, C) scores z; the probabilities are softmax(z).
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ensemble_kit.core.records import Floats

CHUNK = 1024


class Design(Protocol):
    """``scores``: (P,) -> (n, C). ``adjoint``: (n, C) -> (P,), its transpose.

    ``curvature``: probabilities (n, C) -> (P, P), the sum over rows of J'(diag p - pp')J.
    """

    def scores(self, theta: Floats) -> Floats: ...

    def adjoint(self, residuals: Floats) -> Floats: ...

    def curvature(self, p: Floats) -> Floats: ...

    def take(self, rows: NDArray[Any]) -> "Design": ...


@dataclass(frozen=True, eq=False)
class Pooled:
    """z = sum over m of w_m L_m; parameters w (M,); ``logs`` (M, n, C)."""

    logs: Floats

    def scores(self, theta: Floats) -> Floats:
        return np.asarray(np.tensordot(theta, self.logs, axes=1))

    def adjoint(self, residuals: Floats) -> Floats:
        return self.logs.reshape(len(self.logs), -1) @ residuals.ravel()

    def curvature(self, p: Floats) -> Floats:
        flat = self.logs.reshape(len(self.logs), -1)
        weighted = (self.logs * p).reshape(flat.shape)
        means = (self.logs * p).sum(axis=2)
        return np.asarray(weighted @ flat.T - means @ means.T)

    def take(self, rows: NDArray[Any]) -> "Pooled":
        return Pooled(self.logs[:, rows])


@dataclass(frozen=True, eq=False)
class Biased:
    """z = t l + b; parameters (t, b_1 … b_C); ``logs`` l (n, C)."""

    logs: Floats

    def scores(self, theta: Floats) -> Floats:
        return np.asarray(theta[0] * self.logs + theta[1:])

    def adjoint(self, residuals: Floats) -> Floats:
        return np.hstack([[(self.logs * residuals).sum()], residuals.sum(axis=0)])

    def curvature(self, p: Floats) -> Floats:
        u = p * self.logs
        mean = u.sum(axis=1)
        h = np.empty((p.shape[1] + 1,) * 2)
        h[0, 0] = (u * self.logs).sum() - mean @ mean
        h[0, 1:] = h[1:, 0] = u.sum(axis=0) - mean @ p
        h[1:, 1:] = np.diag(p.sum(axis=0)) - p.T @ p
        return h

    def take(self, rows: NDArray[Any]) -> "Biased":
        return Biased(self.logs[rows])


@dataclass(frozen=True, eq=False)
class Vector:
    """z_c = a_c l_c + b_c; parameters (a, b) (2C,); ``logs`` l (n, C)."""

    logs: Floats

    def scores(self, theta: Floats) -> Floats:
        a, b = np.split(theta, 2)
        return np.asarray(a * self.logs + b)

    def adjoint(self, residuals: Floats) -> Floats:
        return np.hstack([(self.logs * residuals).sum(axis=0), residuals.sum(axis=0)])

    def curvature(self, p: Floats) -> Floats:
        u = p * self.logs
        aa = np.diag((u * self.logs).sum(axis=0)) - u.T @ u
        ab = np.diag(u.sum(axis=0)) - u.T @ p
        return np.block([[aa, ab], [ab.T, np.diag(p.sum(axis=0)) - p.T @ p]])

    def take(self, rows: NDArray[Any]) -> "Vector":
        return Vector(self.logs[rows])


@dataclass(frozen=True, eq=False)
class Affine:
    """z = W x; parameters W (C, F) row by row; ``features`` x (n, F); a column of ones for b."""

    features: Floats
    n_classes: int

    def scores(self, theta: Floats) -> Floats:
        return self.features @ theta.reshape(self.n_classes, -1).T

    def adjoint(self, residuals: Floats) -> Floats:
        return (residuals.T @ self.features).ravel()

    def curvature(self, p: Floats) -> Floats:
        x, c, f = self.features, self.n_classes, self.features.shape[1]
        h = np.zeros((c * f, c * f))
        for start in range(0, len(x), CHUNK):
            some_x, some_p = x[start : start + CHUNK], p[start : start + CHUNK]
            spread = (some_p[:, :, None] * some_x[:, None, :]).reshape(len(some_x), c * f)
            h -= spread.T @ spread
            for i in range(c):
                own = slice(i * f, (i + 1) * f)
                h[own, own] += spread[:, own].T @ some_x
        return h

    def take(self, rows: NDArray[Any]) -> "Affine":
        return Affine(self.features[rows], self.n_classes)
