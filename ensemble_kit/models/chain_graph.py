"""A saved ensemble's chain as layers, so that an exported file gives final probabilities.

Reads the chain as its run wrote it (``ensemble.json``): plain values that name their kind.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ensemble_kit.core.errors import RunError

MOST_MATCHES = 60
"""As in the saved ensemble: most matchings of fold models of members with different numbers."""

Tensor = Any
Json = Mapping[str, Any]


def chain_output(chain: Json | None, folds: Sequence[Sequence[Tensor]]) -> Tensor:
    """Final probabilities (B, C) from each member's fold models (lists of (B, C)).

    chain : ``final`` of ``ensemble.json``. As :meth:`Bundle.apply_folds` has it: applied to the
    k-th fold models of all members together and averaged over k, those of a member with fewer
    gone through in turn. None: the mean of all fold models. RunError for steps that have no exact
    form in layers.
    """
    if chain is None:
        return _mean([p for member in folds for p in member])
    counts = [len(member) for member in folds]
    rounds = max(min(math.lcm(*counts), MOST_MATCHES), *counts)
    return _mean(
        [_combined(chain, [member[k % len(member)] for member in folds]) for k in range(rounds)]
    )


def _combined(chain: Json, members: Sequence[Tensor]) -> Tensor:
    """The weighted mean of a combination's chains, then its prior shift."""
    outputs = []
    for part in chain["parts"]:
        p = _step(ENSEMBLERS, part["ensembler"])(part["ensembler"], members)
        outputs.append(_step(CALIBRATIONS, part["calibration"])(part["calibration"], p))
    weights = [float(part["weight"]) for part in chain["parts"]]
    p = outputs[0]
    if len(outputs) > 1:
        p = _normalised(_sum([x * w for x, w in zip(outputs, weights, strict=True)]))
    shift = chain["prior_shift"]
    if shift is not None:
        ratio = np.asarray(shift["target"]) / np.asarray(shift["source"])
        p = _normalised(_affine(p, np.diag(ratio)))
    return p


def _step(known: Mapping[str, Callable[..., Tensor]], values: Json) -> Callable[..., Tensor]:
    kind = values.get("kind")
    if kind not in known:
        raise RunError(
            f"the ensemble's step {kind!r} has no exact form in an exported file; make the "
            "ensemble with another --method or --calibrate (temperature, bias, vector, dirichlet, "
            "matrix, beta), or export its runs of `cv`"
        )
    return known[str(kind)]


def _linear(values: Json, members: Sequence[Tensor]) -> Tensor:
    return _normalised(
        _sum([p * float(w) for p, w in zip(members, values["weights"], strict=True)])
    )


def _logarithmic(values: Json, members: Sequence[Tensor]) -> Tensor:
    logs = _logs(members, values["floors"])
    return _softmax(_sum([x * float(w) for x, w in zip(logs, values["weights"], strict=True)]))


def _by_class(values: Json, members: Sequence[Tensor]) -> Tensor:
    weights = np.asarray(values["weights"])
    return _normalised(
        _sum([_affine(p, np.diag(w)) for p, w in zip(members, weights, strict=True)])
    )


def _calibrated(values: Json, members: Sequence[Tensor]) -> Tensor:
    logs = _logs(members, values["floors"])
    size = int(members[0].shape[-1])
    parts = [
        _softmax(_affine(x, float(slope) * np.eye(size), bias))
        for x, slope, bias in zip(logs, values["slopes"], values["biases"], strict=True)
    ]
    return _mean(parts)


def _stack(values: Json, members: Sequence[Tensor]) -> Tensor:
    import keras

    logs = _logs(members, values["floors"])
    size = int(members[0].shape[-1])
    centre = np.eye(size) - np.full((size, size), 1.0 / size)
    centred = [_affine(x, centre) for x in logs]
    joined = keras.layers.Concatenate()(centred) if len(centred) > 1 else centred[0]
    return _softmax(_affine(joined, np.asarray(values["weights"]).T, values["biases"]))


def _identity(values: Json, p: Tensor) -> Tensor:
    return p


def _scaling(values: Json, p: Tensor) -> Tensor:
    size = int(p.shape[-1])
    slopes = np.broadcast_to(np.asarray(values["slopes"]), (size,))
    return _softmax(_affine(_log(p, values["floor"]), np.diag(slopes), values["biases"]))


def _matrix(values: Json, p: Tensor) -> Tensor:
    weights = np.asarray(values["weights"]).T
    return _softmax(_affine(_log(p, values["floor"]), weights, values["biases"]))


def _beta(values: Json, p: Tensor) -> Tensor:
    import keras

    a, b, m = np.asarray(values["parameters"])
    floor = values["floor"]
    low, high = _log(p, floor), _log(1.0 - p, floor)
    scores = _sum([_affine(low, np.diag(a), m), _affine(high, -np.diag(b))])
    return _normalised(keras.layers.Activation("sigmoid")(scores))


ENSEMBLERS: dict[str, Callable[..., Tensor]] = {
    "linear pool": _linear,
    "logarithmic pool": _logarithmic,
    "linear pool by class": _by_class,
    "mean of calibrated members": _calibrated,
    "stack": _stack,
}
CALIBRATIONS: dict[str, Callable[..., Tensor]] = {
    "identity": _identity,
    "scaling": _scaling,
    "matrix": _matrix,
    "beta": _beta,
}


def _affine(x: Tensor, kernel: Any, bias: Any = None) -> Tensor:
    """x · kernel + bias as a dense layer: every format knows it."""
    import keras

    kernel = np.asarray(kernel, np.float32)
    layer = keras.layers.Dense(kernel.shape[1], use_bias=bias is not None, dtype="float32")
    out = layer(x)
    layer.set_weights([kernel] if bias is None else [kernel, np.asarray(bias, np.float32)])
    return out


def _log(p: Tensor, floor: float) -> Tensor:
    import keras

    return keras.ops.log(keras.ops.maximum(p, float(floor)))


def _logs(members: Sequence[Tensor], floors: Sequence[float]) -> list[Tensor]:
    return [_log(p, floor) for p, floor in zip(members, floors, strict=True)]


def _softmax(x: Tensor) -> Tensor:
    import keras

    return keras.layers.Softmax(dtype="float32")(x)


def _normalised(p: Tensor) -> Tensor:
    import keras

    return p / keras.ops.sum(p, axis=-1, keepdims=True)


def _sum(parts: Sequence[Tensor]) -> Tensor:
    import keras

    return keras.layers.Add()(list(parts)) if len(parts) > 1 else parts[0]


def _mean(parts: Sequence[Tensor]) -> Tensor:
    import keras

    return keras.layers.Average()(list(parts)) if len(parts) > 1 else parts[0]
