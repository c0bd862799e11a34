"""Registry of architectures: how each is built, where its blocks begin, where its weights are."""

import os
from difflib import get_close_matches

from ensemble_kit.core.errors import StudyError
from ensemble_kit.models.backbone import Backbone
from ensemble_kit.models.own import is_own, own_backbone
from ensemble_kit.models.registry import NAMES, registered
from ensemble_kit.study import ModelSpec

__all__ = ["NAMES", "Backbone", "check_model_spec", "find_backbone"]

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
"""What TensorFlow tells of itself is no message to a user. Set here, before any import of the
framework: whoever uses it has imported this package first."""


def find_backbone(name: str) -> Backbone:
    """The architecture of a name, a ``.keras`` file or ``package.module:function``.

    A registered one loads no framework until it is built; a user's own is looked at when asked
    something, so that a run's fold models can be opened without the base they came from.
    """
    if is_own(name):
        return own_backbone(name)
    if name in NAMES:
        return registered(name)
    folded = name.lower().replace("-", "").replace("_", "")
    near = get_close_matches(folded, NAMES, n=3, cutoff=0.6)
    said = f"did you mean {' or '.join(near)}?" if near else f"choose one of {', '.join(NAMES)}"
    raise StudyError(
        f"backbone {name!r} is not known; {said} (`backbones` lists all; a base of your own is "
        "path/to/base.keras or package.module:function)"
    )


def check_model_spec(spec: ModelSpec) -> Backbone:
    """The backbone of a model spec, after checking size and depth against it."""
    backbone = find_backbone(spec.backbone)
    backbone.check(spec.image_size)
    if spec.unfreeze_depth > backbone.n_blocks:
        raise StudyError(
            f"unfreeze depth {spec.unfreeze_depth} exceeds the {backbone.n_blocks} blocks of "
            f"{backbone.name}; give 0 (head alone) to {backbone.n_blocks} (everything)"
        )
    return backbone
