"""Eight-bit kernels: at most half a step from the float ones, in a file that still runs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ensemble_kit.models.int8 import eight_bits, largest_of, write_int8


@given(st.integers(0, 2**32 - 1), st.sampled_from([(5, 7, 1, 1), (3, 64, 1, 1), (4, 6, 3, 3)]))
def test_levels_are_half_a_step_from_the_kernel(seed, shape):
    random = np.random.default_rng(seed)
    kernel = (random.normal(size=shape) * 10.0 ** random.integers(-6, 6)).astype(np.float32)
    kernel[0] = 0
    levels, scale = eight_bits(kernel)
    assert levels.shape[1] <= 32
    restored = (levels * scale[:, None]).reshape(kernel.shape)
    step = np.repeat(scale, levels.shape[1]).reshape(kernel.shape)
    assert (np.abs(restored - kernel) <= 0.501 * step).all()
    assert levels.dtype == np.int8
    assert levels.min() >= -127
    assert (restored[0] == 0).all()


def test_kernels_are_taken_in_order_of_size():
    sizes = {"a": 5000, "b": 3000, "c": 3000, "d": 2000, "e": 10}
    assert largest_of(sizes, 5000) == {"a"}
    assert largest_of(sizes, 5001) == {"a", "b", "c"}
    assert largest_of(sizes, 1e9) == {"a", "b", "c", "d"}


def test_channels_of_any_strength_keep_their_levels(tmp_path):
    onnx = pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(0)
    depthwise = random.normal(size=(64, 1, 3, 3)).astype(np.float32)
    pointwise = random.normal(size=(128, 64, 1, 1)).astype(np.float32)
    strong = 10.0 ** random.uniform(-3, 3, 64).astype(np.float32)
    depthwise *= strong.reshape(-1, 1, 1, 1)
    pointwise /= strong.reshape(1, -1, 1, 1)
    dense = random.normal(size=(128, 40)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "depthwise"], ["a"], group=64),
        helper.make_node("Conv", ["a", "pointwise"], ["b"]),
        helper.make_node("GlobalAveragePool", ["b"], ["c"]),
        helper.make_node("Flatten", ["c"], ["d"]),
        helper.make_node("MatMul", ["d", "dense"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 64, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 40])],
        [numpy_helper.from_array(array, name) for name, array in
         {"depthwise": depthwise, "pointwise": pointwise, "dense": dense}.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    source, small = tmp_path / "float.onnx", tmp_path / "int8.onnx"
    onnx.save(model, source)
    write_int8(source, small, 0.5)
    onnx.checker.check_model(str(small), full_check=True)
    assert small.stat().st_size < source.stat().st_size - 2.7 * pointwise.size
    x = random.normal(size=(2, 64, 8, 8)).astype(np.float32)
    before, after = (
        runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, {"x": x})
        for path in (source, small)
    )
    assert 0 < np.abs(before[0] - after[0]).max() < 0.03 * np.abs(before[0]).max()
