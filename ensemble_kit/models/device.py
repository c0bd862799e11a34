"""The framework's device: threads, precision, determinism; the one place that asks for it."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from ensemble_kit.core.errors import StudyError, some
from ensemble_kit.core.json_text import parse_json


@dataclass(frozen=True)
class Device:
    """What trains: Keras' backend, "cpu" or "gpu", precision policy, threads, repeatability."""

    backend: str
    kind: Literal["cpu", "gpu"]
    precision: str
    threads: int
    deterministic: bool

    def facts(self) -> dict[str, str]:
        return {name: str(value) for name, value in asdict(self).items()}


BACKENDS = ("tensorflow", "jax", "torch")


def configured_backend() -> str:
    """The backend Keras will use, found without importing it.

    StudyError if this package does not train on it, or if it is not installed.
    """
    name = _named_backend()
    if name not in BACKENDS:
        raise StudyError(
            f"Keras is set to the backend {name!r}, which does not train here: set KERAS_BACKEND "
            f"to one of {some(BACKENDS)}"
        )
    if find_spec(name) is None:
        extra = "" if name == "tensorflow" else f"[{name}]"
        raise StudyError(
            f"Keras is set to the backend {name}, which is not installed: "
            f'python -m pip install "ensemble-kit{extra}", or set KERAS_BACKEND to another'
        )
    return name


def _named_backend() -> str:
    if named := os.environ.get("KERAS_BACKEND"):
        return named
    home = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser()
    try:
        return str(parse_json((home / "keras.json").read_text(encoding="utf-8"))["backend"])
    except (OSError, ValueError, KeyError, TypeError):
        return "tensorflow"


def prepare(threads: int) -> Device:
    """Set up the framework in this process, once, before any tensor is made.

    A GPU's memory is taken as it is needed, so that several processes can share one. StudyError as
    :func:`configured_backend`.
    """
    configured_backend()
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    with _native_messages_hidden():
        import keras

        backend = keras.backend.backend()
        gpu = _has_gpu(backend, threads)
    kind: Literal["cpu", "gpu"] = "gpu" if gpu else "cpu"
    return Device(backend, kind, policy_for("auto", kind), threads, deterministic=not gpu)


def policy_for(precision: str, kind: str) -> str:
    """Keras' dtype policy for a study's ``precision`` on a kind of device, "cpu" or "gpu".

    Mixed bfloat16 multiplies in bfloat16 and sums, keeps weights and normalises in float32.
    """
    if precision == "auto":
        precision = "bfloat16" if kind == "gpu" else "float32"
    return "mixed_bfloat16" if precision == "bfloat16" else "float32"


def use_precision(device: Device, precision: str) -> Device:
    """Build what follows in a study's precision; the device as it then computes."""
    import keras

    policy = policy_for(precision, device.kind)
    keras.mixed_precision.set_global_policy(policy)
    return replace(device, precision=policy)


@contextmanager
def _native_messages_hidden() -> Iterator[None]:
    """Drop what compiled libraries print about themselves while they load (not exceptions)."""
    sys.stderr.flush()
    kept, sink = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(sink, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(sink)


def _has_gpu(backend: str, threads: int) -> bool:
    if backend == "tensorflow":
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
        for device in gpus:
            with suppress(RuntimeError, ValueError):  # a notebook has used or parted it already
                tf.config.experimental.set_memory_growth(device, True)
        gpu = bool(gpus)
        if not gpu:
            tf.config.experimental.enable_op_determinism()
        if threads:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(1)
        return gpu
    if backend == "jax":
        import jax

        return any(device.platform == "gpu" for device in jax.devices())
    import torch

    if threads:
        torch.set_num_threads(threads)
    return bool(torch.cuda.is_available())
