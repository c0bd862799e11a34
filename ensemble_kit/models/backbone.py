"""The interface of an architecture: what is known of it, how it is built, where it is cut."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ensemble_kit.core.errors import StudyError, WeightsError
from ensemble_kit.models.cuts import STAGES, base_output, find_blocks

KerasTensor = Any
KerasModel = Any


@dataclass(frozen=True)
class Cut:
    """What enters a block: at image size S a map of side ``(S + add) // stride`` and ``channels``.

    Exact for every size: the sides of convolutions and poolings are such quotients, and quotients
    of quotients are quotients.
    """

    block: str
    add: int
    stride: int
    channels: int

    def shape(self, size: int) -> tuple[int, ...]:
        side = (size + self.add) // self.stride
        return (side, side, self.channels)


@dataclass(frozen=True)
class Facts:
    """What is recorded of an architecture, so that plans need no framework.

    parameters : without the top. features : width of the pooled features. min_size : smallest
    square input, pixels. cuts : of each block, first to last. speed : images/s that two cores
    passed forward at 128 px, a first guess for plans. weights_file : name under which Keras keeps
    the published ImageNet weights; "" where there are none.
    """

    parameters: int
    features: int
    min_size: int
    cuts: tuple[Cut, ...]
    speed: float
    weights_file: str = ""


@dataclass(frozen=True, eq=False)
class Backbone:
    """An architecture as the trainer sees it.

    preprocessing : name of what happens to pixels 0..255 inside the network; part of store keys.
    build : (input tensor of pixels 0..255, float32 (B, S, S, 3)) -> keras model without top,
        randomly initialised, whose graph includes the preprocessing.
    known : () -> what is known of it; a registered one's facts are recorded.
    shapes : (image size) -> shape of a row at each cut, for a base of the user's own; None: by the
        recorded cuts.
    stages : regular expression of what names a stage in a layer's name.
    constructor : in ``keras.applications``, which also fetches the weights; "" for others.
    own : () -> digest of weights that come with the base itself, after building it with a seed;
        None for registered ones.
    """

    name: str
    preprocessing: str
    build: Callable[[KerasTensor], KerasModel]
    known: Callable[[], Facts]
    shapes: Callable[[int], tuple[tuple[int, ...], ...]] | None = None
    stages: str = STAGES
    constructor: str = ""
    own: Callable[[int, int], str] | None = None

    @cached_property
    def facts(self) -> Facts:
        return self.known()

    @property
    def min_size(self) -> int:
        return self.facts.min_size

    @property
    def features(self) -> int:
        return self.facts.features

    @property
    def n_blocks(self) -> int:
        return len(self.facts.cuts)

    @property
    def speed(self) -> float:
        return self.facts.speed

    def boundary(self, model: KerasModel, depth: int) -> KerasTensor:
        """The tensor that enters the last ``depth`` blocks of a base or a fold model; 0: the last
        feature map."""
        output = base_output(model)
        if depth == 0:
            return output
        return find_blocks(model.inputs[0], output, self.stages)[-depth].entry

    def cut_shape(self, size: int, depth: int) -> tuple[int, ...]:
        """Shape of one row at a cut for an image size; depth 0: ``(features,)``."""
        if depth == 0:
            return (self.features,)
        if self.shapes is not None:
            return self.shapes(size)[-depth]
        return self.facts.cuts[-depth].shape(size)

    def check(self, size: int) -> None:
        """StudyError where images of ``size`` px cannot be its input."""
        if size < self.min_size:
            raise StudyError(
                f"image size {size} px is below the {self.min_size} px that {self.name} needs; "
                f"give --image-size {self.min_size} or more"
            )
        if self.shapes is not None:
            self.shapes(size)


def load_base_weights(model: KerasModel, path: Path, backbone: Backbone) -> None:
    """Load a ``.weights.h5`` or ``.h5`` file into a base; other architectures are refused."""
    try:
        model.load_weights(str(path))
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise WeightsError(
            f"{path}: not the weights of {backbone.name} without its top ({reason}); give the file "
            "that belongs to this backbone"
        ) from None
