"""Eight-bit ONNX files: kernels held in int8, from the smallest file to the most faithful.

Arithmetic stays float32: what runs the file restores a kernel as it needs it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST = 1024
"""Kernels of fewer numbers stay float32: they save nothing and carry much of the error."""
BLOCK = 32
"""Most numbers that share a scale."""


@dataclass(frozen=True)
class Recipe:
    """words : what is held in int8. write : (the float file, its int8 file)."""

    words: str
    write: Callable[[Path, Path], None]


def write_int8(source: Path, to: Path, share: float) -> None:
    """Hold the largest kernels of pointwise and full convolutions in int8, in blocks.

    share : of all kernels' numbers, at least, that become int8: kernels in order of size. Depthwise
    kernels, biases and the dense heads, which are solved and lean on small differences of large
    numbers, stay float32.
    """
    import onnx
    from onnx import helper, numpy_helper

    model = equalised(source)
    graph = model.graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    names = [node.input[1] for node in graph.node if node.op_type in ("Conv", "MatMul", "Gemm")]
    sizes = {name: int(np.prod(stored[name].dims)) for name in names if name in stored}
    able = {node.input[1] for node in graph.node if _can_shrink(node, stored)}
    chosen = largest_of({name: sizes[name] for name in able}, share * sum(sizes.values()))
    added, done = [], {}
    for name in sorted(chosen):
        kernel = numpy_helper.to_array(stored[name])
        levels, scale = eight_bits(kernel)
        parts: dict[str, NDArray[Any]] = {
            "levels": levels,
            "scale": scale,
            "zero": np.zeros(len(scale), np.int8),
        }
        arrays: dict[str, NDArray[Any]] = {**parts, "shape": np.array(kernel.shape, np.int64)}
        for part, array in arrays.items():
            graph.initializer.append(numpy_helper.from_array(array, f"{name}_{part}"))
        done[name] = f"{name}_whole"
        inputs = [f"{name}_{part}" for part in parts]
        blocks = helper.make_node("DequantizeLinear", inputs, [f"{name}_blocks"], axis=0)
        whole = helper.make_node("Reshape", [f"{name}_blocks", f"{name}_shape"], [done[name]])
        added += [blocks, whole]
    for node in graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = done.get(name, name)
    nodes = [*added, *graph.node]
    kept = [tensor for tensor in graph.initializer if tensor.name not in done]
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend(nodes)
    onnx.save(model, to)


def largest_of(sizes: dict[str, int], wanted: float) -> set[str]:
    """The largest kernels that hold ``wanted`` numbers together, with all as large as the last."""
    held, least = 0, 0
    for size in sorted(sizes.values(), reverse=True):
        if held >= wanted:
            break
        held, least = held + size, size
    return {name for name, size in sizes.items() if size >= max(least, LEAST)}


def eight_bits(kernel: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """int8 levels (blocks, length) -127..127 and a scale (blocks,) of a kernel (outputs, …): each
    output's numbers in order, in blocks of the longest length that divides them, at most 32."""
    numbers = int(np.prod(kernel.shape[1:]))
    length = max(n for n in range(1, BLOCK + 1) if numbers % n == 0)
    blocks = kernel.reshape(-1, length)
    largest = np.abs(blocks).max(axis=1)
    scale = np.where(largest > 0, largest / 127, 1).astype(np.float32)
    return np.rint(blocks / scale[:, None]).astype(np.int8), scale


def equalised(source: Path) -> Any:
    """The same function with kernels that eight bits hold better.

    Between a depthwise convolution and the one that alone reads it nothing bends, so the scale of
    each channel is free: it is moved into the depthwise kernel, which stays float32 (Nagel et al.
    2019, cross-layer equalisation). Without this a few strong channels leave the others few levels.
    """
    import onnx
    from onnx import numpy_helper

    model = onnx.load(source)
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    made = {node.output[0]: node for node in model.graph.node if len(node.output) == 1}
    readers: dict[str, int] = {}
    for node in model.graph.node:
        for name in node.input:
            readers[name] = readers.get(name, 0) + 1
    for node in model.graph.node:
        first = made.get(node.input[0]) if node.op_type == "Conv" else None
        if first is None or first.op_type != "Conv" or readers[first.output[0]] != 1:
            continue
        names = [*first.input[1:], node.input[1]]
        if any(name not in stored or readers[name] != 1 for name in names):
            continue
        *before, kernel = (numpy_helper.to_array(stored[name]) for name in names)
        if before[0].shape[1] != 1 or kernel.shape[1] != len(before[0]):
            continue
        scale = channel_scale(kernel)
        changed: list[NDArray[Any]] = [
            array * scale.reshape(-1, *[1] * (array.ndim - 1)) for array in before
        ]
        changed.append(kernel / scale.reshape(1, -1, 1, 1))
        for name, array in zip(names, changed, strict=True):
            stored[name].CopyFrom(numpy_helper.from_array(array.astype(np.float32), name))
    return model


def channel_scale(kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """(inputs,) a scale for each input channel of a kernel (outputs, inputs, h, w), so that, with
    one for each output as well, the largest numbers of all channels come near to one another."""
    size = np.abs(kernel).max(axis=(2, 3)).astype(np.float64) + 1e-30
    scale = np.ones(size.shape[1])
    for _ in range(5):
        rows = (size / scale).max(axis=1, keepdims=True)
        scale *= (size / scale / rows).max(axis=0)
    scale = np.maximum(scale, 1e-6 * scale.max())
    return np.asarray(scale / np.exp(np.log(scale).mean()), np.float32)


def _can_shrink(node: Any, stored: dict[str, Any]) -> bool:
    if node.op_type != "Conv" or node.input[1] not in stored:
        return False
    kernel = stored[node.input[1]]
    return bool(kernel.data_type == 1 and kernel.dims[1] > 1)


def _recipe(share: float) -> Recipe:
    words = f"the largest kernels, {share:.0%} of all numbers at least" if share < 1 else (
        "all kernels but depthwise ones and the heads"
    )  # fmt: skip
    return Recipe(words, partial(write_int8, share=share))


ONNX_RECIPES = tuple(_recipe(share) for share in (1.0, 0.95, 0.25))
