"""Eight-bit ONNX files: the ways there are, from the smallest and fastest to the most faithful."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
LEAST = 1024
"""Kernels of fewer numbers stay float32: they save nothing and carry much of the error."""
CALIBRATION = 32
"""Images that the ranges of activations are taken from."""


@dataclass(frozen=True)
class Recipe:
    """words : what is held in int8. write : (the float file, its int8 file, images)."""

    words: str
    write: Callable[[Path, Path, Pixels], None]


def weights_by_channel(source: Path, to: Path, pixels: Pixels) -> None:
    """Kernels as int8 with a scale for each output channel; all arithmetic stays float32.

    Each kernel is replaced by its DequantizeLinear: what runs the file restores it once or at each
    call, as it pleases. ``pixels`` are not looked at.
    """
    import onnx

    model = onnx.load(source)
    graph = model.graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    done: dict[str, str] = {}
    added = []
    for node in graph.node:
        axis = _channels_of(node)
        if axis is None or node.input[1] not in stored:
            continue
        name = node.input[1]
        kernel = onnx.numpy_helper.to_array(stored[name])
        if kernel.dtype != np.float32 or kernel.size < LEAST or axis >= kernel.ndim:
            continue
        if name not in done:
            done[name] = f"{name}_restored"
            levels, scale = eight_bits(kernel, axis)
            new = {"levels": levels, "scale": scale, "zero": np.zeros(len(scale), np.int8)}
            for part, array in new.items():
                graph.initializer.append(onnx.numpy_helper.from_array(array, f"{name}_{part}"))
            added.append(
                onnx.helper.make_node(
                    "DequantizeLinear", [f"{name}_{part}" for part in new], [done[name]],
                    name=done[name], axis=axis,
                )
            )  # fmt: skip
        node.input[1] = done[name]
    used = {name for node in graph.node for name in node.input}
    kept = [
        tensor for tensor in graph.initializer if tensor.name in used or tensor.name not in done
    ]
    nodes = [*added, *graph.node]
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend(nodes)
    onnx.save(model, to)


def eight_bits(kernel: NDArray[np.float32], axis: int) -> tuple[NDArray[np.int8], Any]:
    """int8 levels -127..127 and a float32 scale for each place along ``axis``."""
    others = tuple(i for i in range(kernel.ndim) if i != axis)
    largest = np.abs(kernel).max(axis=others, keepdims=True)
    scale = np.where(largest > 0, largest / 127, 1).astype(np.float32)
    levels = np.rint(kernel / scale).astype(np.int8)
    return levels, scale.reshape(-1)


def everything_by_channel(source: Path, to: Path, pixels: Pixels) -> None:
    """Kernels and activations as int8, activations' ranges from ``pixels``; int8 arithmetic."""
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    quantize_static(
        str(source), str(to), _reader(source, pixels[:CALIBRATION]),
        quant_format=QuantFormat.QDQ, per_channel=True,
        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
        op_types_to_quantize=["Conv", "MatMul", "Gemm"],
        calibrate_method=CalibrationMethod.MinMax,
    )  # fmt: skip


def _reader(source: Path, pixels: Pixels) -> Any:
    import onnxruntime
    from onnxruntime.quantization import CalibrationDataReader

    name = onnxruntime.InferenceSession(
        str(source), providers=["CPUExecutionProvider"]
    ).get_inputs()[0].name  # fmt: skip

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.batches: Iterator[NDArray[np.uint8]] = iter(np.split(pixels, len(pixels)))

        def get_next(self) -> dict[str, Any] | None:
            batch = next(self.batches, None)
            return None if batch is None else {name: batch.astype(np.float32)}

    return Reader()


def _channels_of(node: Any) -> int | None:
    """The axis of a kernel that counts the outputs of a node; None for other nodes."""
    if node.op_type == "Conv":
        return 0
    if node.op_type == "MatMul":
        return 1
    if node.op_type == "Gemm":
        turned = any(a.name == "transB" and a.i for a in node.attribute)
        return 0 if turned else 1
    return None


ONNX_RECIPES = (
    Recipe("weights and activations, a scale for each channel", everything_by_channel),
    Recipe("weights alone, a scale for each channel; arithmetic in float32", weights_by_channel),
)
