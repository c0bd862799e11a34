"""Writes what plans know of an architecture without a framework: ``python
benchmarks/record_backbones.py [NAME…]``, after a line was added to ``models/lines.py``.

Blocks and shapes are read from graphs built at a few sizes. Images/s at 128 px, random weights,
batches of 16, are those of Xception on two idle cores times the ratio of processor times, measured
in turn with Xception's, so that other work on the machine falls on both. ``--speeds``: these alone.
"""

import json
import sys
import time

import numpy as np

from ensemble_kit.models import NAMES
from ensemble_kit.models.cuts import _nodes, find_blocks
from ensemble_kit.models.fetching import weights_path
from ensemble_kit.models.lines import LINES
from ensemble_kit.models.registry import OTHERS, RECORDED, registered

STRIDES = (1, 2, 4, 8, 16, 32, 64)
SAME = ("LayerScale", "StochasticDepth", "CustomScaleLayer", "InputLayer")
"""Layers that do not say their output's shape: that of what they take."""
LARGEST, TIMED, BATCH, ROUNDS = 320, 128, 16, 4
REFERENCE, IDLE_REFERENCE = "xception", 40.0
"""Measured once on two idle cores, images/s."""


def smallest(name: str) -> int:
    """Smallest side that the constructor accepts."""
    import keras

    if name in OTHERS:
        return 32
    constructor = getattr(keras.applications, LINES[name].constructor)
    for size in range(32, 256):
        try:
            constructor(include_top=False, weights=None, input_shape=(size, size, 3))
        except ValueError:
            continue
        return size
    raise ValueError(name)


def built(name: str, size: int):
    import keras

    keras.backend.clear_session()
    return registered(name).build(keras.Input((size, size, 3)))


def blocks_at(name: str, model) -> list[tuple[str, int, int]]:
    blocks = find_blocks(model.inputs[0], model.outputs[0], registered(name).stages)
    return [(b.name, b.entry.shape[1], b.entry.shape[3]) for b in blocks]


def carried(name: str, model, size: int) -> list[tuple[str, int, int]]:
    """As :func:`blocks_at` for another size, by the shapes that the layers give, unbuilt."""
    blocks = find_blocks(model.inputs[0], model.outputs[0], registered(name).stages)
    shapes = {id(model.inputs[0]): (1, size, size, 3)}
    for node in _nodes(model.inputs[0], model.outputs[0]):
        given = [shapes[id(tensor)] for tensor in node.inputs]
        out = given if len(given) > 1 else given[0]
        for layer in getattr(node.layer, "layers", [node.layer]):
            if type(layer).__name__ in SAME or not hasattr(layer, "compute_output_shape"):
                out = max(given, key=len) if len(given) > 1 else out
            else:
                out = layer.compute_output_shape(out)
        shapes[id(node.outputs[0])] = tuple(out)
    return [(b.name, shapes[id(b.entry)][1], b.entry.shape[3]) for b in blocks]


def fitted(name: str, low: int, model) -> list[list[object]]:
    """(block, add, stride, channels) of each cut: by shapes carried through one graph where a
    second graph of an odd size agrees, else (padding that depends on the size) by many graphs."""
    odd = low | 1 if low % 2 == 0 else low + 2
    at_odd = blocks_at(name, built(name, odd))
    if carried(name, model, odd) == at_odd:
        return fitted_by(name, low, lambda size: carried(name, model, size))
    return fitted_by(name, low, lambda size: blocks_at(name, built(name, size)))


def fitted_by(name: str, low: int, found_at) -> list[list[object]]:
    """Quotients that agree at sizes chosen until no two that are left differ anywhere."""
    seen: dict[int, list[tuple[str, int, int]]] = {}
    left: list[list[tuple[int, int]]] = []
    size = 128
    while True:
        seen[size] = found_at(size)
        if not left:
            every = [(add, d) for d in STRIDES for add in range(-3 * d - 8, 2 * d + 8)]
            left = [every for _ in seen[size]]
        left = [
            [(a, d) for a, d in pairs if (size + a) // d == cut[1]]
            for pairs, cut in zip(left, seen[size], strict=True)
        ]
        sizes = [s for s in range(low, LARGEST) if s not in seen]
        kinds = {s: sum(len({(s + a) // d for a, d in pairs}) - 1 for pairs in left) for s in sizes}
        size = max(sizes, key=lambda s: kinds[s])
        if kinds[size] == 0:
            return [[cut[0], *pairs[0], cut[2]] for pairs, cut in zip(left, seen[128], strict=True)]


def ratio(model, reference) -> float:
    """How many times as many images a second of processor time passes the model as the other."""
    pixels = np.random.default_rng(0).uniform(0, 255, (BATCH, TIMED, TIMED, 3)).astype("float32")
    times: list[list[float]] = [[], []]
    for _ in range(ROUNDS):
        for found, one in zip(times, (model, reference), strict=True):
            began = time.process_time()
            one.predict_on_batch(pixels)
            found.append(time.process_time() - began)
    return min(times[1][1:]) / min(times[0][1:])


def recorded(name: str, model) -> dict[str, object]:
    low = smallest(name)
    return {
        "parameters": model.count_params(),
        "features": model.output_shape[-1],
        "min_size": low,
        "speed": 0.0,
        "weights_file": ""
        if name in OTHERS
        else weights_path(LINES[name].constructor, fetch=False)[1],
        "cuts": fitted(name, low, model),
    }


def main() -> None:
    held = json.loads(RECORDED.read_text()) if RECORDED.is_file() else {}
    asked, speeds = [name for name in sys.argv[1:] if name != "--speeds"], "--speeds" in sys.argv
    reference = built(REFERENCE, TIMED)
    for name in asked or NAMES:
        model = built(name, TIMED)
        if not (speeds and name in held):
            held[name] = recorded(name, model)
        times = 1.0 if name == REFERENCE else ratio(model, reference)
        held[name]["speed"] = float(f"{times * IDLE_REFERENCE:.3g}")
        print(name, len(held[name]["cuts"]), "blocks", f"{times:.2f} x", REFERENCE, flush=True)
        lines = [f"{json.dumps(n)}: {json.dumps(held[n])}" for n in NAMES if n in held]
        RECORDED.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
