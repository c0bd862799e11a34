"""Multinomial logistic regression on many rows of many features: float32 products, whole optimum.

The problem is convex. Features are first turned into the axes of their second moments, which
leaves a quadratic penalty as it is; L-BFGS then runs with every axis scaled to a curvature near 1.
That takes some twenty evaluations where plain L-BFGS takes hundreds; each is two matrix products.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits

from ensemble_kit.core.machine import cores
from ensemble_kit.core.records import Floats, Ints

TOLERANCE, LOOSE = 2e-5, 5e-4
"""Largest component of the gradient at the optimum, in the scaled axes; for a mere comparison."""
RANK = 1e-6
"""Axes of a smaller share of the largest second moment are rounding errors, and dropped."""
ROWS_AT_ONCE = 512
"""Rows that stay in a processor's cache between the two products of an evaluation."""
PARTS = 4
"""Sums of rows that threads make side by side; always as many, so that the bytes do not depend on
the number of cores. Threads of the products themselves would wait for each other."""
Float32s = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Block:
    """Rows of one inner fold. x : (m, R) in turned axes, labels : (m,), weights : (m,)."""

    x: Float32s
    labels: Ints
    weights: Float32s


@dataclass(frozen=True, eq=False)
class Axes:
    """turn : (F, R) orthonormal columns; spread : (R,) second moments along them."""

    turn: Float32s
    spread: Floats


@dataclass(frozen=True, eq=False)
class SoftmaxFit:
    """softmax(x kernel + bias). kernel : (R, C), bias : (C,)."""

    kernel: Floats
    bias: Floats

    def probabilities(self, x: Float32s) -> Float32s:
        """(m, C) of rows (m, R)."""
        return softmax_in_place(x @ self.kernel.astype(np.float32) + self.bias.astype(np.float32))


def principal_axes(parts: Sequence[Float32s]) -> Axes:
    """The axes of the second moments of all rows of ``parts``, each (m, F)."""
    moments = np.zeros((parts[0].shape[1],) * 2, np.float32)
    for part in parts:
        moments += part.T @ part
    moments /= np.float32(sum(len(part) for part in parts))
    spread, turn = eigh(moments, overwrite_a=True, check_finite=False, driver="evd")
    kept = spread > RANK * max(float(spread[-1]), 1e-30)
    return Axes(np.ascontiguousarray(turn[:, kept]), spread[kept].astype(np.float64))


def fit_softmax(
    blocks: Sequence[Block],
    n_classes: int,
    ridge: float,
    axes: Axes,
    start: SoftmaxFit | None = None,
    tolerance: float = TOLERANCE,
) -> SoftmaxFit:
    """Minimise the weighted mean log loss plus ½ ``ridge`` ‖kernel‖²; the bias is not penalised.

    axes : those the blocks are turned into; of a superset of the rows serves as well. start : a
    fit to begin from. Parameters are float64, products float32.
    """
    everyone = np.ones((1, len(blocks)))
    starts = None if start is None else [start]
    return _fitted(blocks, n_classes, ridge, axes, everyone, starts, tolerance)[0]


def fit_without_each(
    blocks: Sequence[Block],
    n_classes: int,
    ridge: float,
    axes: Axes,
    starts: Sequence[SoftmaxFit] | None = None,
    tolerance: float = LOOSE,
) -> list[SoftmaxFit]:
    """As :func:`fit_softmax` of all blocks but each in turn. starts : a fit for each."""
    others = 1 - np.eye(len(blocks))
    return _fitted(blocks, n_classes, ridge, axes, others, starts, tolerance)


def _fitted(
    blocks: Sequence[Block],
    n_classes: int,
    ridge: float,
    axes: Axes,
    counted: Floats,
    starts: Sequence[SoftmaxFit] | None,
    tolerance: float,
) -> list[SoftmaxFit]:
    """J fits, each to the blocks that ``counted`` (J, B) has 1 for.

    The J problems are minimised side by side as one that falls apart, so that every evaluation
    reads the rows once for all of them, in products of J × C columns.
    """
    j, r, c = len(counted), len(axes.spread), n_classes
    counts = counted @ np.array([np.bincount(b.labels, b.weights, c) for b in blocks])
    total = counts.sum(axis=1)
    share = counts / total[:, None]
    curvature = np.maximum((share * (1 - share)).mean(axis=1), 1e-3)
    scale = np.vstack([axes.spread[:, None] * curvature + ridge, curvature])[:, :, None] ** -0.5

    shares = (counted / total[:, None]).astype(np.float32)
    pieces = [
        (shares[:, k, None], block, slice(first, first + ROWS_AT_ONCE))
        for k, block in enumerate(blocks)
        for first in range(0, len(block.x), ROWS_AT_ONCE)
    ]

    def slope(theta: Floats) -> tuple[float, Floats]:
        packed = theta.reshape(r + 1, j, c) * scale
        kernel, bias = packed[:-1], packed[-1].astype(np.float32)
        kernel32 = kernel.reshape(r, j * c).astype(np.float32)

        def part(first: int) -> tuple[float, Floats]:
            value, gradient = 0.0, np.zeros((r + 1, j, c))
            for share_of, block, rows in pieces[first::PARTS]:
                x, weights = block.x[rows], block.weights[rows] * share_of
                scores = np.ascontiguousarray((x @ kernel32).T).reshape(j, c, -1)
                scores += bias[:, :, None]
                value += _residuals(scores, block.labels[rows], weights)
                gradient[:-1] += (x.T @ scores.reshape(j * c, -1).T).reshape(r, j, c)
                gradient[-1] += scores.sum(axis=2, dtype=np.float64)
            return value, gradient

        value = 0.5 * ridge * float((kernel * kernel).sum())
        gradient = np.concatenate([ridge * kernel, np.zeros((1, j, c))])
        for more, slopes in threads.map(part, range(PARTS)):
            value, gradient = value + more, gradient + slopes
        return value, (gradient * scale).ravel()

    begin = np.zeros((r + 1, j, c))
    begin[-1] = np.log(np.maximum(share, 1e-4))
    for k, fit in enumerate(starts or ()):
        begin[:-1, k], begin[-1, k] = fit.kernel, fit.bias
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(min(PARTS, cores())) as threads:
        found = _minimised(slope, (begin / scale).ravel(), tolerance)
    packed = found.reshape(r + 1, j, c) * scale
    return [SoftmaxFit(packed[:-1, k], packed[-1, k]) for k in range(j)]


def _residuals(scores: Float32s, labels: Ints, weights: Float32s) -> float:
    """The weighted sum of log losses of (J, C, m) scores, which become weighted residuals p - y.

    labels : (m,), weights : (J, m).
    """
    scores -= scores.max(axis=1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=1, keepdims=True)
    rows = np.arange(len(labels))
    right = np.maximum(scores[:, labels, rows], np.float32(1e-30)).astype(np.float64)
    scores[:, labels, rows] -= 1
    scores *= weights[:, None]
    return -float((weights * np.log(right)).sum())


def _minimised(
    slope: Callable[[Floats], tuple[float, Floats]], theta: Floats, tolerance: float
) -> Floats:
    options = {"maxiter": 300, "maxcor": 12, "gtol": tolerance, "ftol": tolerance * 1e-4}
    return np.asarray(minimize(slope, theta, jac=True, method="L-BFGS-B", options=options).x)


def mean_loss(blocks: Sequence[Block], fit: SoftmaxFit) -> float:
    """Weighted mean log loss of a fit, nats."""
    lost = total = 0.0
    for block in blocks:
        p = fit.probabilities(block.x)[np.arange(len(block.x)), block.labels]
        right = np.maximum(p, np.float32(1e-30)).astype(np.float64)
        lost -= float((block.weights * np.log(right)).sum())
        total += float(block.weights.sum())
    return lost / total


def softmax_in_place(scores: Float32s) -> Float32s:
    """Scores (…, C), which become probabilities."""
    scores -= scores.max(axis=-1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=-1, keepdims=True)
    return scores
