"""A base of the user's own: a ``.keras`` file, or a function that builds one.

A file is read before it is loaded: what would execute code is refused. Pixels 0..255 go in, so
its preprocessing is part of it; its last feature map (height, width, channels) comes out.
"""

import hashlib
import importlib
import json
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

from ensemble_kit.core.errors import StudyError, some
from ensemble_kit.core.json_text import parse_json
from ensemble_kit.core.regular import MOST_BYTES
from ensemble_kit.models.backbone import Backbone, Facts
from ensemble_kit.models.cuts import STAGES
from ensemble_kit.models.graph_facts import PROBED, facts_of_graph, graph_at, shapes_of_graph

CODE_LAYERS = ("Lambda", "TorchModuleWrapper", "TFSMLayer", "JaxLayer", "FlaxLayer")
"""Layers of Keras that run code, or load files, that their configuration names."""
FITTING = "give a base with one input (pixels 0..255) and one output, its last feature map"


def is_own(name: str) -> bool:
    """Whether a backbone's name is a file or a function rather than one of the registry."""
    return name.endswith((".keras", ".h5")) or ":" in name or "/" in name or "\\" in name


def is_file(name: str) -> bool:
    """Whether a backbone's name is that of a file."""
    return is_own(name) and ":" not in name


def absolute(name: str) -> str:
    """A backbone's name as every process understands it, whatever folder it was begun in."""
    return str(Path(name).absolute()) if is_file(name) else name


@cache
def own_backbone(name: str) -> Backbone:
    """The backbone of a file or function; nothing is read before it is asked something."""
    source = partial(_from_file, Path(name)) if ":" not in name else partial(_from_function, name)
    return Backbone(
        name=name,
        preprocessing="inside",
        build=partial(_build, name, source),
        known=partial(_facts, name, source),
        shapes=cache(partial(shapes_of_graph, name, partial(_build, name, source), STAGES)),
        own=cache(partial(_digest, name, source)),
    )


def _from_file(path: Path, pixels: Any) -> Any:
    import keras

    from ensemble_kit.core.errors import RunError
    from ensemble_kit.models.fold_model import load_network

    check_base_file(path)
    try:
        base = load_network(path)
    except RunError as error:
        reason = str(error).partition("(")[2].rpartition(")")[0]
        raise StudyError(f"{path}: cannot be loaded as a base ({reason}); save it anew") from None
    if not isinstance(base, keras.Model) or not getattr(base, "inputs", None):
        raise StudyError(f"{path}: its layers are no graph; save a functional model")
    return base


def check_base_file(path: Path) -> None:
    """StudyError unless a file is a ``.keras`` archive whose configuration names nothing but
    Keras' own layers, none of which runs code. Nothing is loaded for it."""
    if not path.is_file():
        raise StudyError(f"backbone {str(path)!r} is not a file; give the path of a .keras file")
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo("config.json").file_size > MOST_BYTES:
                raise ValueError("its configuration is too large")
            config = parse_json(archive.read("config.json"))
    except (zipfile.BadZipFile, zlib.error, LookupError, ValueError, OSError, RuntimeError):
        raise StudyError(
            f"{path}: not a .keras file; save the base with model.save('base.keras')"
        ) from None
    refused = sorted({name for name in _classes(config) if not _harmless(*name)})
    if refused:
        found = some([f"{module}.{name}" if module else name for module, name in refused])
        raise StudyError(
            f"{path}: {found} would run code that is not Keras' own, so the file is not loaded; "
            "build the base of Keras' layers, or give --backbone package.module:function"
        )


def _classes(config: Any) -> Iterator[tuple[str, str]]:
    """(module, class) of everything a configuration would have made."""
    if isinstance(config, dict):
        if "class_name" in config:
            registered = config.get("registered_name")
            module = str(config.get("module") or "")
            name = str(config["class_name"])
            if registered and ">" in str(registered):
                module, name = "", str(registered)
            if name == "function":
                name = f"function {config.get('config')}"
            yield module, name
        for value in config.values():
            yield from _classes(value)
    elif isinstance(config, list):
        for value in config:
            yield from _classes(value)


def _harmless(module: str, name: str) -> bool:
    if name.startswith("__") or name in CODE_LAYERS or ">" in name:
        return name in ("__tensor__", "__tuple__", "__numpy__", "__ellipsis__", "__keras_tensor__")
    if name.startswith("function "):
        return module.split(".")[0] in ("builtins", "keras") and ".utils" not in module
    parts = module.split(".")
    return module == "" or (parts[0] == "keras" and not {"utils", "saving"} & set(parts))


def _from_function(name: str, pixels: Any) -> Any:
    module, _, function = name.partition(":")
    try:
        made = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise StudyError(
            f"backbone {name!r} cannot be imported ({error}); give package.module:function, from "
            "the folder in which it lies or as an installed package"
        ) from None
    try:
        return made(pixels)
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise StudyError(
            f"{name} fails ({type(error).__name__}: {reason}); it is called with the tensor of "
            "pixels (B, S, S, 3) and returns a keras.Model"
        ) from None


def _build(name: str, source: Callable[[Any], Any], pixels: Any) -> Any:
    """The base upon ``pixels``, its layers side by side with what is put around them."""
    import keras

    size = int(pixels.shape[1])
    base = source(pixels)
    if not isinstance(base, keras.Model) or not getattr(base, "inputs", None):
        raise StudyError(f"{name}: is no keras.Model of a graph; {FITTING}")
    inputs, outputs = list(base.inputs), list(base.outputs)
    if len(inputs) != 1 or len(outputs) != 1:
        raise StudyError(f"{name}: has {len(inputs)} inputs and {len(outputs)} outputs; {FITTING}")
    shape = tuple(inputs[0].shape[1:])
    if len(shape) != 3 or shape[2] != 3:
        raise StudyError(f"{name}: takes {shape}, not images of three channels; {FITTING}")
    sides = {side for side in shape[:2] if side is not None}
    if sides - {size}:
        raise StudyError(
            f"image size {size} px is not the {max(sides)} px that {name} takes; give --image-size "
            f"{max(sides)}"
        )
    try:
        model = base if inputs[0] is pixels else keras.models.clone_model(base, pixels)
        if model is not base:
            model.set_weights(base.get_weights())
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise StudyError(
            f"{name}: cannot be built for {size} px ({reason}); give another --image-size"
        ) from None
    shape = tuple(model.outputs[0].shape[1:])
    if len(shape) != 3 or None in shape or 0 in shape:
        raise StudyError(
            f"{name}: gives {shape} for {size} px, not a feature map (height, width, channels); "
            "leave its pooling and its top out, or give a larger --image-size"
        )
    return model


def _facts(name: str, source: Callable[[Any], Any]) -> Facts:
    return facts_of_graph(name, partial(_build, name, source), size=_own_size(name, source))


def _own_size(name: str, source: Callable[[Any], Any]) -> int:
    """The size a base is fixed to, else one that all can be looked at with."""
    import keras

    if ":" in name:
        return PROBED
    base = source(keras.Input((PROBED, PROBED, 3), name="pixels"))
    side = base.inputs[0].shape[1] if len(base.inputs[0].shape) == 4 else None
    return PROBED if side is None else int(side)


def _digest(name: str, source: Callable[[Any], Any], size: int, seed: int) -> str:
    """Of layers, their settings and their weights, whatever names Keras gave the layers."""
    import keras

    keras.utils.set_random_seed(seed)
    model, _ = graph_at(name, partial(_build, name, source), size)
    found = hashlib.sha256()
    for layer in model.layers:
        settings = {k: v for k, v in layer.get_config().items() if k != "name"}
        found.update(f"{type(layer).__name__} {json.dumps(settings, default=str)}".encode())
        for array in layer.get_weights():
            found.update(array.tobytes())
    return found.hexdigest()
