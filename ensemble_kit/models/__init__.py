"""What the trainer must know of an architecture: build it, where its blocks begin, its weights."""

from ensemble_kit.core.errors import StudyError
from ensemble_kit.models.backbone import Backbone
from ensemble_kit.study import ModelSpec

__all__ = ["NAMES", "Backbone", "check_model_spec", "find_backbone"]

NAMES = ("xception", "compact")


def find_backbone(name: str) -> Backbone:
    """The architecture of that name; loads no framework until it is built."""
    from ensemble_kit.models.compact import COMPACT
    from ensemble_kit.models.xception import XCEPTION

    known = {"xception": XCEPTION, "compact": COMPACT}
    if name not in known:
        raise StudyError(f"backbone {name!r} is not known; choose one of {', '.join(known)}")
    return known[name]


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
