"""A small network on features: one hidden layer with dropout, without a framework.

A fold model is the mean of four such networks. Each is trained without one inner fold of whole
groups, whose loss says after which epoch it was best; so no row of the fold that the model is
judged on, and none that a network was trained on, chooses when that network stops.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble_kit.core.errors import StudyError
from ensemble_kit.core.records import Floats, Ints
from ensemble_kit.posthoc.convex.softmax_regression import Float32s, softmax_in_place
from ensemble_kit.study import StudySpec
from ensemble_kit.training.phases import cosine_share
from ensemble_kit.training.probe import INNER_FOLDS, inner_folds, standardise

KEPT_OF_MEAN, KEPT_OF_SQUARES, LEAST = 0.9, 0.999, 1e-7
"""Adam's constants, as Keras has them."""
LEAST_STEPS = 1500
"""Steps that a network may take at least, however few epochs: small sets have few steps in each."""
ReadRows = Callable[[Ints], Float32s]
"""rows (m,) -> (m, F) features."""


@dataclass(frozen=True, eq=False)
class NetworkHead:
    """J networks, whose probabilities are averaged, for features as given.

    hidden : (J, F, H), hidden_bias : (J, H), kernel : (J, H, C), bias : (J, C). epochs : (J,)
    after which each was best. inner_loss : mean log loss on the inner folds left out, NaN without.
    """

    hidden: Float32s
    hidden_bias: Float32s
    kernel: Float32s
    bias: Float32s
    epochs: Ints
    inner_loss: float

    @property
    def n_inputs(self) -> int:
        return int(self.hidden.shape[1])

    def probabilities(self, features: Float32s) -> Floats:
        """(m, C); each row sums to 1."""
        networks = zip(self.hidden, self.hidden_bias, self.kernel, self.bias, strict=True)
        found = [
            softmax_in_place(np.maximum(features @ h + hb, 0) @ k + b) for h, hb, k, b in networks
        ]
        p = np.mean(found, axis=0, dtype=np.float64)
        return np.asarray(p / p.sum(axis=1, keepdims=True))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What is written, each under its field's name."""
        return {name: np.asarray(value) for name, value in vars(self).items()}

    @staticmethod
    def of_arrays(arrays: Mapping[str, NDArray[Any]]) -> "NetworkHead":
        own = {name: arrays[name] for name in ("hidden", "hidden_bias", "kernel", "bias", "epochs")}
        return NetworkHead(**own, inner_loss=float(arrays["inner_loss"]))


def fit_network(
    read: ReadRows, rows: Ints, labels: Ints, groups: Ints, weights: Float32s, n_classes: int,
    spec: StudySpec, generator: np.random.Generator,
) -> NetworkHead:  # fmt: skip
    """Train on ``rows`` (m,); labels, groups, weights : (n,) of the whole table.

    Hidden units and dropout are the study's [model]; most epochs, rate, batch size, weight decay,
    schedule, patience and label smoothing its [training]. Where all rows are one group there is
    one network, trained all epochs. Raises StudyError where the loss diverges.
    """
    inner = inner_folds(groups[rows], labels[rows], INNER_FOLDS, generator)
    x = read(rows)
    mean, scale = standardise([x])
    y, w = labels[rows], weights[rows]
    left_out = np.unique(inner) if inner.any() else [-1]
    nets = []
    for k in left_out:
        with np.errstate(over="ignore", invalid="ignore"):
            nets.append(_train(x, y, w, inner != k, n_classes, spec, generator.spawn(1)[0]))
    hidden, hidden_bias, kernel, bias = (
        np.stack([net.layers[place] for net in nets]) for place in range(4)
    )
    hidden = np.asarray(hidden / scale[:, None], np.float32)
    return NetworkHead(
        hidden,
        np.asarray(hidden_bias - mean @ hidden, np.float32),
        kernel,
        bias,
        np.array([net.epoch for net in nets]),
        float(np.mean([net.loss for net in nets])),
    )


@dataclass(frozen=True, eq=False)
class _Trained:
    """layers : hidden (F, H), its bias (H,), kernel (H, C), bias (C,) after the best epoch."""

    layers: list[Float32s]
    epoch: int
    loss: float


class _Adam:
    """Kingma & Ba, "Adam", ICLR 2015; the decay of AdamW is applied beside it."""

    def __init__(self, size: int) -> None:
        self.steps = 0
        self._mean, self._square, self._spare = np.zeros((3, size), np.float32)

    def step(self, theta: Float32s, slope: Float32s, rate: float) -> None:
        """Move ``theta`` by one step against ``slope``, which is overwritten."""
        self.steps += 1
        mean, square, spare = self._mean, self._square, self._spare
        mean *= KEPT_OF_MEAN
        mean += np.multiply(slope, 1 - KEPT_OF_MEAN, out=spare)
        square *= KEPT_OF_SQUARES
        np.multiply(slope, slope, out=slope)
        square += np.multiply(slope, 1 - KEPT_OF_SQUARES, out=spare)
        np.sqrt(square, out=spare)
        spare += LEAST
        np.divide(mean, spare, out=spare)
        unbiased = math.sqrt(1 - KEPT_OF_SQUARES**self.steps) / (1 - KEPT_OF_MEAN**self.steps)
        theta -= np.multiply(spare, rate * unbiased, out=spare)


def _train(
    x: Float32s, labels: Ints, weights: Float32s, used: NDArray[np.bool_], n_classes: int,
    spec: StudySpec, generator: np.random.Generator,
) -> _Trained:  # fmt: skip
    """One network on standardised rows, stopped by those that are not ``used`` (m,)."""
    training, units = spec.training, spec.model.hidden_units
    rows, stopping = np.flatnonzero(used), np.flatnonzero(~used)
    smooth, keep = training.label_smoothing, 1 - spec.model.dropout
    shapes = ((x.shape[1], units), (units,), (units, n_classes), (n_classes,))
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    theta = np.zeros(ends[-1], np.float32)
    slope, adam = np.zeros_like(theta), _Adam(len(theta))

    def layers(flat: Float32s) -> list[Float32s]:
        return [p.reshape(s) for p, s in zip(np.split(flat, ends[:-1]), shapes, strict=True)]

    hidden, hidden_bias, kernel, bias = own = layers(theta)
    for part in (hidden, kernel):
        limit = np.sqrt(6.0 / sum(part.shape))
        part[:] = generator.uniform(-limit, limit, part.shape)
    of_hidden, of_hidden_bias, of_kernel, of_bias = layers(slope)
    size = training.batch_size
    steps = -(-len(rows) // size)
    epochs = max(training.head_epochs, -(-LEAST_STEPS // steps))
    rate = training.head_lr
    best, since = _Trained([part.copy() for part in own], 0, np.inf), 0
    halve_after = max(1, training.patience // 2)
    cosine = training.schedule == "cosine"
    for epoch in range(1, epochs + 1):
        order = rows[generator.permutation(len(rows))]
        for first in range(0, len(order), size):
            batch = order[first : first + size]
            seen = x[batch]
            scores = seen @ hidden + hidden_bias
            kept = (generator.random(scores.shape, np.float32) < keep) & (scores > 0)
            mask = np.where(kept, np.float32(1 / keep), np.float32(0))
            active = np.asarray(scores * mask, np.float32)
            residual = softmax_in_place(active @ kernel + bias)
            residual -= np.float32(smooth / n_classes)
            residual[np.arange(len(batch)), labels[batch]] -= np.float32(1 - smooth)
            residual *= weights[batch, None] / np.float32(len(batch))
            back = (residual @ kernel.T) * mask
            of_hidden[:], of_hidden_bias[:] = seen.T @ back, back.sum(axis=0)
            of_kernel[:], of_bias[:] = active.T @ residual, residual.sum(axis=0)
            share = cosine_share(adam.steps, steps * epochs, training.warmup) if cosine else 1.0
            for decayed in (hidden, kernel):
                decayed *= np.float32(1 - rate * share * training.weight_decay)
            adam.step(theta, slope, rate * share)
        if not np.isfinite(theta).all():
            raise StudyError(
                f"the network head's loss diverged in epoch {epoch}: lower training.head_lr "
                f"({training.head_lr:g})"
            )
        if not len(stopping):
            best = _Trained(own, epoch, np.nan)
            continue
        p = softmax_in_place(np.maximum(x[stopping] @ hidden + hidden_bias, 0) @ kernel + bias)
        right = np.maximum(p[np.arange(len(p)), labels[stopping]], 1e-30)
        loss = float(-np.average(np.log(right), weights=weights[stopping]))
        since += 1
        if loss < best.loss:
            best, since = _Trained([part.copy() for part in own], epoch, loss), 0
        if since >= training.patience:
            break
        if training.schedule == "plateau" and since and since % halve_after == 0:
            rate /= 2
    return best
