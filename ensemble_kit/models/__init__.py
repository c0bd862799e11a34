"""Registry of architectures: how each is built, where its blocks begin, where its weights are."""

import os
from importlib import import_module

from ensemble_kit.core.errors import StudyError
from ensemble_kit.models.backbone import Backbone
from ensemble_kit.study import ModelSpec

__all__ = ["NAMES", "Backbone", "check_model_spec", "find_backbone"]

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
"""What TensorFlow tells of itself is no message to a user. Set here, before any import of the
framework: whoever uses it has imported this package first."""

_PLACES = {
    "xception": ("ensemble_kit.models.xception", "XCEPTION"),
    "compact": ("ensemble_kit.models.compact", "COMPACT"),
}
NAMES = tuple(_PLACES)


def find_backbone(name: str) -> Backbone:
    """The architecture of that name; loads no framework until it is built."""
    if name not in _PLACES:
        raise StudyError(f"backbone {name!r} is not known; choose one of {', '.join(NAMES)}")
    module, attribute = _PLACES[name]
    backbone: Backbone = getattr(import_module(module), attribute)
    return backbone


def check_model_spec(spec: ModelSpec) -> Backbone:
    """The backbone of a model spec, after checking size and depth against it."""
    backbone = find_backbone(spec.backbone)
    if spec.image_size < backbone.min_size:
        raise StudyError(
            f"image size {spec.image_size} px is below the {backbone.min_size} px that "
            f"{backbone.name} needs; give --image-size {backbone.min_size} or more"
        )
    if spec.unfreeze_depth > backbone.n_blocks:
        raise StudyError(
            f"unfreeze depth {spec.unfreeze_depth} exceeds the {backbone.n_blocks} blocks of "
            f"{backbone.name}; give 0 (head alone) to {backbone.n_blocks} (everything)"
        )
    return backbone
