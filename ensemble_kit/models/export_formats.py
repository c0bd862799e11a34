"""The formats a network is exported to: how each is written, run, and what it needs."""

import contextlib
import io
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import util
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble_kit.core.errors import StudyError, some
from ensemble_kit.models.cuts import leaves
from ensemble_kit.models.device import configured_backend
from ensemble_kit.models.int8 import ONNX_RECIPES, Recipe
from ensemble_kit.models.jpeg_input import jpeg_pixels

Run = Callable[[NDArray[np.float32]], NDArray[np.float32]]
EncodedRun = Callable[[list[bytes]], NDArray[np.float32]]


@dataclass(frozen=True)
class ExportFormat:
    """file : what is written, relative to the bundle. extra : of this package, that installs
    ``modules``. runtime : packages that run the file. code : lines of Python that make
    ``run(pixels) -> probabilities`` from ``here / "<file>"``."""

    name: str
    file: str
    modules: tuple[str, ...]
    extra: str
    runtime: tuple[str, ...]
    write: Callable[[Any, Path], None]
    open: Callable[[Path], Run]
    code: tuple[str, ...]
    recipes: tuple[Recipe, ...] = ()
    """Ways to an int8 file, tried in turn."""
    write_encoded: Callable[[Any, Path, str], None] | None = None
    """(network, path, aspect): a file that takes encoded JPEG as well."""
    open_encoded: Callable[[Path], EncodedRun] | None = None
    encoded_code: tuple[str, ...] = ()


def find_format(name: str) -> ExportFormat:
    """The format of that name, after checking that what it needs is installed."""
    if name not in FORMATS:
        raise StudyError(f"format {name!r} is not known: choose one of {some(FORMATS)}")
    chosen = FORMATS[name]
    missing = [module for module in chosen.modules if util.find_spec(module) is None]
    if missing:
        raise StudyError(
            f"format {name} needs {some(missing)}, which is not installed: "
            f'python -m pip install "ensemble-kit[{chosen.extra}]"'
        )
    if name != "keras" and (backend := configured_backend()) != "tensorflow":
        raise StudyError(
            f"format {name} is written by TensorFlow, and Keras is set to the backend {backend}: "
            "give the same command with KERAS_BACKEND=tensorflow, which reads these models as well"
        )
    return chosen


def check_abilities(chosen: ExportFormat, *, quantize: str, encoded: bool) -> None:
    """StudyError unless the format has an int8 form, and takes JPEG, where these are asked for."""
    if quantize not in ("", "int8"):
        raise StudyError(f"--quantize {quantize} is not known: give int8")
    if quantize and not chosen.recipes:
        able = [found.name for found in FORMATS.values() if found.recipes]
        raise StudyError(f"format {chosen.name} has no int8 form here: export {some(able)}")
    if encoded and chosen.write_encoded is None:
        able = [found.name for found in FORMATS.values() if found.write_encoded]
        raise StudyError(
            f"format {chosen.name} takes pixels alone: encoded JPEG as input is for {some(able)}"
        )
    if quantize and encoded:
        raise StudyError("no format is both int8 and takes encoded JPEG: give one of the two")


def _write_keras(model: Any, path: Path) -> None:
    model.save(path)


def _write_as(keras_format: str) -> Callable[[Any, Path], None]:
    def write(model: Any, path: Path) -> None:
        model(np.zeros((1, *model.input_shape[1:]), np.float32))
        constants_inside(model)
        with _silence():
            model.export(str(path), format=keras_format, verbose=False)

    return write


def constants_inside(model: Any) -> None:
    """Turn means and deviations that a layer holds as tensors into plain arrays.

    A tensor made outside the graph that is written becomes an input of the ONNX file; an array is
    written into it. Such layers scale the pixels of the EfficientNetV2-B networks.
    """
    import keras

    for layer in (leaf for outer in model.layers for leaf in leaves(outer)):
        if isinstance(layer, keras.layers.Normalization) and layer.input_mean is not None:
            layer.mean, layer.variance = np.asarray(layer.mean), np.asarray(layer.variance)


def _open_keras(path: Path) -> Run:
    import keras

    model = keras.models.load_model(path, compile=False, safe_mode=True)
    return lambda pixels: np.asarray(model.predict_on_batch(pixels))


def _open_savedmodel(path: Path) -> Run:
    import tensorflow as tf

    model = tf.saved_model.load(str(path))
    return lambda pixels: np.asarray(model.serve(pixels))


def _write_savedmodel_encoded(model: Any, path: Path, aspect: str) -> None:
    import keras
    import tensorflow as tf

    size = int(model.input_shape[1])

    def serve_jpeg(data: Any) -> Any:
        pixels = tf.map_fn(
            lambda one: jpeg_pixels(one, size, aspect), data, fn_output_signature=tf.float32
        )
        return model(pixels, training=False)

    archive = keras.export.ExportArchive()
    archive.track(model)
    with _silence():
        archive.add_endpoint(
            "serve", lambda x: model(x, training=False),
            input_signature=[tf.TensorSpec((None, size, size, 3), tf.float32, name="pixels")],
        )  # fmt: skip
        archive.add_endpoint(
            "serve_jpeg", serve_jpeg, input_signature=[tf.TensorSpec((None,), tf.string, "jpeg")]
        )
        archive.write_out(str(path), verbose=False)


def _open_savedmodel_encoded(path: Path) -> EncodedRun:
    import tensorflow as tf

    model = tf.saved_model.load(str(path))
    return lambda data: np.asarray(model.serve_jpeg(tf.constant(data)))


def _open_onnx(path: Path) -> Run:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda pixels: np.asarray(session.run(None, {name: pixels})[0])


def _open_litert(path: Path) -> Run:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path))

    def run(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        place = interpreter.get_input_details()[0]["index"]
        interpreter.resize_tensor_input(place, pixels.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(place, pixels)
        interpreter.invoke()
        return np.array(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))

    return run


def _open_openvino(path: Path) -> Run:
    import openvino

    core = openvino.Core()
    core.set_property("CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    model = core.compile_model(path, "CPU")
    return lambda pixels: np.array(model(pixels)[0])


FORMATS = {
    found.name: found
    for found in (
        ExportFormat(
            "keras", "model.keras", (), "", ("tensorflow", "keras"), _write_keras, _open_keras,
            ("import keras",
             'model = keras.models.load_model(here / "model.keras", compile=False)',
             "run = lambda x: model.predict(x, verbose=0)"),
        ),
        ExportFormat(
            "savedmodel", "saved_model", (), "", ("tensorflow",),
            _write_as("tf_saved_model"), _open_savedmodel,
            ("import tensorflow as tf",
             'model = tf.saved_model.load(str(here / "saved_model"))',
             "run = lambda x: model.serve(x).numpy()"),
            write_encoded=_write_savedmodel_encoded, open_encoded=_open_savedmodel_encoded,
            encoded_code=("encoded = lambda data: model.serve_jpeg(tf.constant([data])).numpy()",),
        ),
        ExportFormat(
            "onnx", "model.onnx", ("tf2onnx", "onnx", "onnxruntime"), "onnx", ("onnxruntime",),
            _write_as("onnx"), _open_onnx,
            ("import onnxruntime",
             'model = onnxruntime.InferenceSession(str(here / "model.onnx"))',
             "run = lambda x: model.run(None, {model.get_inputs()[0].name: x})[0]"),
            recipes=ONNX_RECIPES,
        ),
        ExportFormat(
            "litert", "model.tflite", ("ai_edge_litert",), "litert", ("ai-edge-litert",),
            _write_as("litert"), _open_litert,
            ("from ai_edge_litert.interpreter import Interpreter",
             'model = Interpreter(model_path=str(here / "model.tflite"))',
             'place = model.get_input_details()[0]["index"]',
             "model.resize_tensor_input(place, (1, SIZE, SIZE, 3))",
             "model.allocate_tensors()",
             "def run(x):",
             "    model.set_tensor(place, x); model.invoke()",
             '    return model.get_tensor(model.get_output_details()[0]["index"])'),
        ),
        ExportFormat(
            "openvino", "model.xml", ("openvino",), "openvino", ("openvino",),
            _write_as("openvino"), _open_openvino,
            ("import openvino",
             'model = openvino.Core().compile_model(here / "model.xml", "CPU",',
             '                                      {"INFERENCE_PRECISION_HINT": "f32"})',
             "run = lambda x: model(x)[0]"),
        ),
    )
}  # fmt: skip


@contextmanager
def _silence() -> Iterator[None]:
    """Drop what converters print or warn of, also from compiled code; errors come through."""
    kept, sink = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    kept_out = os.dup(1)
    try:
        os.dup2(sink, 2)
        os.dup2(sink, 1)
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        os.dup2(kept, 2)
        os.dup2(kept_out, 1)
        for handle in (kept, kept_out, sink):
            os.close(handle)
