"""The linear probe: multinomial logistic regression on a frozen base's pooled features.

It is the floor that a network has to beat, and the head that training the last blocks starts from
(LP-FT: Kumar et al., "Fine-tuning can distort pretrained features and underperform
out-of-distribution", ICLR 2022). The penalty is chosen by inner folds of whole groups.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble_kit.core.records import Floats, Ints
from ensemble_kit.posthoc.convex.softmax_regression import (
    Axes,
    Block,
    Float32s,
    SoftmaxFit,
    fit_softmax,
    fit_without_each,
    mean_loss,
    principal_axes,
)

INNER_FOLDS = 4
WEAKEST, STRONGEST = 2.0**-14, 2.0**6
ROWS_AT_ONE = 500
"""Penalties tried are powers of 2, first the one near this number divided by the images: half
of it, again half, as long as the loss on left-out groups falls; else twice it, and so on."""
ReadFeatures = Callable[[Ints, int], NDArray[np.float32]]
"""(rows, view) -> (m, F) pooled features."""


@dataclass(frozen=True, eq=False)
class Probe:
    """Pooled features -> probabilities. kernel : (F, C), bias : (C,), for features as stored.

    ridge : the penalty chosen, on standardised features. inner_loss : log loss on left-out groups
    of probabilities averaged over views; train_loss : on the rows it was fitted to, view by view.
    Both weighted as the fit was.
    """

    kernel: Float32s
    bias: Float32s
    ridge: float
    inner_loss: float
    train_loss: float

    @property
    def n_inputs(self) -> int:
        return len(self.kernel)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What is written of it, each under its field's name."""
        return {"kernel": self.kernel, "bias": self.bias, "ridge": np.asarray(self.ridge)}

    @staticmethod
    def of_arrays(arrays: Mapping[str, NDArray[Any]]) -> "Probe":
        nothing = float("nan")
        return Probe(arrays["kernel"], arrays["bias"], float(arrays["ridge"]), nothing, nothing)

    def probabilities(self, features: Float32s) -> Floats:
        """(m, C); each row sums to 1."""
        fit = SoftmaxFit(self.kernel.astype(np.float64), self.bias.astype(np.float64))
        p = fit.probabilities(features).astype(np.float64)
        return np.asarray(p / p.sum(axis=1, keepdims=True))


def fit_probe(
    read: ReadFeatures,
    rows: Ints,
    views: int,
    labels: Ints,
    groups: Ints,
    weights: NDArray[np.float32],
    n_classes: int,
    generator: np.random.Generator,
) -> Probe:
    """Fit to all ``views`` of ``rows`` (m,). labels, groups, weights : (n,) of the whole table.

    Memory: the features once, float32, and two F × F matrices. Raises nothing of its own; with
    fewer groups than inner folds there are as many folds as groups, and with a single group the
    penalty is 1.
    """
    inner = inner_folds(groups[rows], labels[rows], INNER_FOLDS, generator)
    parts = [rows[inner == k] for k in np.unique(inner)]
    features = [_features(read, part, views) for part in parts]
    mean, scale = standardise(features)
    axes = principal_axes(features)
    blocks = []
    for part in parts:
        turned = features.pop(0) @ axes.turn
        blocks.append(Block(turned, np.tile(labels[part], views), np.tile(weights[part], views)))
    ridge, inner_loss, start = _choose_ridge(blocks, views, n_classes, axes)
    fit = fit_softmax(blocks, n_classes, ridge, axes, start)
    kernel = (axes.turn @ fit.kernel) / scale[:, None]
    bias = fit.bias - mean @ kernel
    return Probe(
        kernel.astype(np.float32),
        bias.astype(np.float32),
        ridge,
        inner_loss,
        mean_loss(blocks, fit),
    )


def inner_folds(
    groups: Ints, labels: Ints, n_folds: int, generator: np.random.Generator
) -> NDArray[np.int64]:
    """(m,) fold of each row: whole groups, shuffled within their most frequent class and dealt."""
    names, member = np.unique(groups, return_inverse=True)
    counts = np.zeros((len(names), int(labels.max()) + 1), np.int64)
    np.add.at(counts, (member, labels), 1)
    order = generator.permutation(len(names))
    order = order[np.argsort(counts.argmax(axis=1)[order], kind="stable")]
    fold = np.empty(len(names), np.int64)
    fold[order] = np.arange(len(names)) % n_folds
    return np.asarray(fold[member])


def _features(read: ReadFeatures, rows: Ints, views: int) -> Float32s:
    """(views × m, F), view after view."""
    first = read(rows, 0)
    x = np.empty((views * len(rows), first.shape[1]), np.float32)
    x[: len(rows)] = first
    for view in range(1, views):
        x[view * len(rows) : (view + 1) * len(rows)] = read(rows, view)
    return x


def standardise(features: list[Float32s]) -> tuple[Floats, Floats]:
    """Give every feature mean 0 and deviation 1 over all parts, in place; returns both (F,).

    One that hardly differs from its own mean is rounding noise, and keeps its deviation.
    """
    n = sum(len(part) for part in features)
    mean = np.sum([part.sum(axis=0, dtype=np.float64) for part in features], axis=0) / n
    mean32 = mean.astype(np.float32)
    for part in features:
        part -= mean32
    squares = [np.einsum("ij,ij->j", part, part) for part in features]
    deviation = np.sqrt(np.sum(squares, axis=0, dtype=np.float64) / n)
    noise = np.maximum(1e-6 * np.abs(mean), 1e-12 * float(deviation.max()))
    scale = np.where(deviation > noise, deviation, 1.0)
    for part in features:
        part /= scale.astype(np.float32)
    return mean32.astype(np.float64), scale


def _choose_ridge(
    blocks: list[Block], views: int, n_classes: int, axes: Axes
) -> tuple[float, float, SoftmaxFit | None]:
    """The penalty of least loss on left-out blocks, that loss, and a fit to start from.

    A left-out image is judged as predictions are made: by the mean over its views. One view alone
    would ask for a stronger penalty than the mean does.
    """
    if len(blocks) < 2:
        return 1.0, float("nan"), None
    fits: dict[float, list[SoftmaxFit]] = {}
    sizes = np.array([float(block.weights.sum()) for block in blocks])

    def left_out(ridge: float, factor: float = 1.0) -> tuple[float, float, SoftmaxFit | None]:
        begin = _ahead(fits.get(ridge / factor), fits.get(ridge / factor**2))
        found = fits[ridge] = fit_without_each(blocks, n_classes, ridge, axes, begin)
        losses = [_averaged_loss(b, fit, views) for b, fit in zip(blocks, found, strict=True)]
        return ridge, float((np.array(losses) * sizes).sum() / sizes.sum()), found[0]

    n_images = sum(len(block.x) for block in blocks) // views
    first = left_out(2.0 ** round(np.log2(ROWS_AT_ONE / n_images)))
    best = first
    for factor in (0.5, 2.0):
        while WEAKEST <= best[0] * factor <= STRONGEST:
            tried = left_out(best[0] * factor, factor)
            if tried[1] >= best[1]:
                break
            best = tried
        if best is not first:
            break
    return best


def _ahead(
    last: list[SoftmaxFit] | None, before: list[SoftmaxFit] | None
) -> list[SoftmaxFit] | None:
    """Where fits at the next penalty of a row of them will be about: as far from the last as that
    is from the one before it."""
    if last is None or before is None:
        return last
    return [
        SoftmaxFit(2 * near.kernel - far.kernel, 2 * near.bias - far.bias)
        for near, far in zip(last, before, strict=True)
    ]


def _averaged_loss(block: Block, fit: SoftmaxFit, views: int) -> float:
    """Weighted mean log loss of the probabilities averaged over the views of each image."""
    m = len(block.x) // views
    p = fit.probabilities(block.x).reshape(views, m, -1).mean(axis=0)
    right = np.maximum(p[np.arange(m), block.labels[:m]], np.float32(1e-30)).astype(np.float64)
    return float(-np.average(np.log(right), weights=block.weights[:m]))


def shifted(probabilities: Floats, shift: Floats) -> Floats:
    """(m, C) probabilities whose scores were raised by ``shift``, (C,) or (m, C)."""
    moved = probabilities * np.exp(shift)
    return np.asarray(moved / moved.sum(axis=1, keepdims=True))
