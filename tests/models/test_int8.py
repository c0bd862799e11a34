"""Eight-bit kernels: at most half a step from the float ones, in a file that still runs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ensemble_kit.models.int8 import eight_bits, weights_by_channel


@given(st.integers(0, 2**32 - 1), st.integers(0, 2))
def test_levels_are_half_a_step_from_the_kernel(seed, axis):
    random = np.random.default_rng(seed)
    kernel = (random.normal(size=(3, 4, 5)) * 10.0 ** random.integers(-6, 6)).astype(np.float32)
    kernel[(slice(None),) * axis + (0,)] = 0
    levels, scale = eight_bits(kernel, axis)
    shape = [1, 1, 1]
    shape[axis] = -1
    restored = levels * scale.reshape(shape)
    assert (np.abs(restored - kernel) <= 0.501 * scale.reshape(shape)).all()
    assert levels.dtype == np.int8
    assert levels.min() >= -127


def test_a_file_keeps_what_it_says_and_loses_three_quarters(tmp_path):
    onnx = pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(0)
    kernel = random.normal(size=(64, 32, 3, 3)).astype(np.float32)
    dense = random.normal(size=(64, 40)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "kernel"], ["a"], name="conv"),
        helper.make_node("GlobalAveragePool", ["a"], ["b"]),
        helper.make_node("Flatten", ["b"], ["c"]),
        helper.make_node("MatMul", ["c", "dense"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 32, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 40])],
        [numpy_helper.from_array(kernel, "kernel"), numpy_helper.from_array(dense, "dense")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    source, small = tmp_path / "float.onnx", tmp_path / "int8.onnx"
    onnx.save(model, source)
    weights_by_channel(source, small, np.empty((0, 8, 8, 3), np.uint8))
    onnx.checker.check_model(str(small))
    assert small.stat().st_size < 0.35 * source.stat().st_size
    x = random.normal(size=(2, 32, 8, 8)).astype(np.float32)
    before, after = (
        runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, {"x": x})
        for path in (source, small)
    )
    assert 0 < np.abs(before[0] - after[0]).max() < 0.02 * np.abs(before[0]).max()
