"""Multinomial logistic regression on many rows of many features: float32 products, whole optimum.

The problem is convex. Features are first turned into the axes of their second moments, which
leaves a quadratic penalty as it is; L-BFGS then runs with every axis scaled to a curvature near 1.
That takes some twenty evaluations where plain L-BFGS takes hundreds; each is two matrix products.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.optimize import minimize

from ensemble_kit.core.records import Floats, Ints

TOLERANCE, LOOSE = 2e-5, 1e-3
"""Largest component of the gradient at the optimum, in the scaled axes; for a mere comparison."""
RANK = 1e-6
"""Axes of a smaller share of the largest second moment are rounding errors, and dropped."""
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
        return _softmax(x @ self.kernel.astype(np.float32) + self.bias.astype(np.float32))


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
    n_axes = len(axes.spread)
    total = sum(float(block.weights.sum()) for block in blocks)
    counts = [np.bincount(block.labels, block.weights, n_classes) for block in blocks]
    share = np.sum(counts, axis=0) / total
    curvature = max(float((share * (1 - share)).mean()), 1e-3)
    scale = np.append(curvature * axes.spread + ridge, curvature)[:, None] ** -0.5

    def unpacked(theta: Floats) -> tuple[Floats, Floats]:
        packed = theta.reshape(n_axes + 1, n_classes) * scale
        return packed[:-1], packed[-1]

    def slope(theta: Floats) -> tuple[float, Floats]:
        kernel, bias = unpacked(theta)
        kernel32, bias32 = kernel.astype(np.float32), bias.astype(np.float32)
        value = 0.5 * ridge * float((kernel * kernel).sum())
        gradient = np.concatenate([ridge * kernel, np.zeros((1, n_classes))])
        for block in blocks:
            loss, residuals = _loss(block, kernel32, bias32)
            value += loss / total
            gradient[:-1] += (block.x.T @ residuals) / total
            gradient[-1] += residuals.sum(axis=0, dtype=np.float64) / total
        return value, (gradient * scale).ravel()

    if start is None:
        start = SoftmaxFit(np.zeros((n_axes, n_classes)), np.log(np.maximum(share, 1e-4)))
    theta = (np.concatenate([start.kernel, start.bias[None]]) / scale).ravel()
    return SoftmaxFit(*unpacked(_minimised(slope, theta, tolerance)))


def fit_without_each(
    blocks: Sequence[Block],
    n_classes: int,
    ridge: float,
    axes: Axes,
    starts: Sequence[SoftmaxFit] | None = None,
    tolerance: float = LOOSE,
) -> list[SoftmaxFit]:
    """As :func:`fit_softmax` of all blocks but one, for each of the J blocks in turn.

    The J problems are minimised side by side as one that falls apart, so that every evaluation
    reads the rows once for all of them, in products of J × C columns. starts : a fit for each.
    """
    j, r, c = len(blocks), len(axes.spread), n_classes
    sums = np.array([np.bincount(b.labels, b.weights, c) for b in blocks])
    counts = sums.sum(axis=0) - sums
    total = counts.sum(axis=1)
    share = counts / total[:, None]
    curvature = np.maximum((share * (1 - share)).mean(axis=1), 1e-3)
    scale = np.vstack([axes.spread[:, None] * curvature + ridge, curvature])[:, :, None] ** -0.5

    def slope(theta: Floats) -> tuple[float, Floats]:
        packed = theta.reshape(r + 1, j, c) * scale
        kernel, bias = packed[:-1], packed[-1].astype(np.float32)
        kernel32 = kernel.reshape(r, j * c).astype(np.float32)
        value = 0.5 * ridge * float((kernel * kernel).sum())
        gradient = np.concatenate([ridge * kernel, np.zeros((1, j, c))])
        for k, block in enumerate(blocks):
            p = (block.x @ kernel32).reshape(-1, j, c) + bias
            _softmax(p)
            share_of = np.where(np.arange(j) == k, 0, 1 / total).astype(np.float32)
            weights = block.weights[:, None] * share_of
            rows, fits = np.arange(len(p))[:, None], np.arange(j)
            at = rows, fits, block.labels[:, None]
            value -= float((weights * np.log(np.maximum(p[at], np.float32(1e-30)))).sum())
            p[at] -= 1
            p *= weights[:, :, None]
            gradient[:-1] += (block.x.T @ p.reshape(-1, j * c)).reshape(r, j, c)
            gradient[-1] += p.sum(axis=0, dtype=np.float64)
        return value, (gradient * scale).ravel()

    begin = np.zeros((r + 1, j, c))
    begin[-1] = np.log(np.maximum(share, 1e-4))
    for k, fit in enumerate(starts or ()):
        begin[:-1, k], begin[-1, k] = fit.kernel, fit.bias
    found = np.asarray(_minimised(slope, (begin / scale).ravel(), tolerance))
    packed = found.reshape(r + 1, j, c) * scale
    return [SoftmaxFit(packed[:-1, k], packed[-1, k]) for k in range(j)]


def _minimised(
    slope: Callable[[Floats], tuple[float, Floats]], theta: Floats, tolerance: float
) -> Floats:
    options = {"maxiter": 300, "maxcor": 12, "gtol": tolerance, "ftol": tolerance * 1e-4}
    return np.asarray(minimize(slope, theta, jac=True, method="L-BFGS-B", options=options).x)


def mean_loss(blocks: Sequence[Block], fit: SoftmaxFit) -> float:
    """Weighted mean log loss of a fit, nats."""
    kernel, bias = fit.kernel.astype(np.float32), fit.bias.astype(np.float32)
    total = sum(float(block.weights.sum()) for block in blocks)
    return sum(_loss(block, kernel, bias)[0] for block in blocks) / total


def _loss(block: Block, kernel: Float32s, bias: Float32s) -> tuple[float, Float32s]:
    """Weighted sum of log losses (a number) and weighted residuals p - y (m, C)."""
    p = _softmax(block.x @ kernel + bias)
    rows = np.arange(len(p))
    right = np.maximum(p[rows, block.labels], np.float32(1e-30)).astype(np.float64)
    p[rows, block.labels] -= 1
    p *= block.weights[:, None]
    return float(-(block.weights * np.log(right)).sum()), p


def _softmax(scores: Float32s) -> Float32s:
    scores -= scores.max(axis=-1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=-1, keepdims=True)
    return scores
