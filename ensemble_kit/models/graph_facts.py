"""What is known of an architecture by building its graph at one size: blocks, shapes, widths."""

from collections.abc import Callable
from typing import Any

from ensemble_kit.core.errors import StudyError
from ensemble_kit.models.backbone import Cut, Facts
from ensemble_kit.models.cuts import STAGES, Block, find_blocks

SPEED = 40.0
"""Images/s at 128 px, guessed: nothing was measured."""
PROBED = 128
Build = Callable[[Any], Any]


def graph_at(name: str, build: Build, size: int, stages: str = STAGES) -> tuple[Any, list[Block]]:
    """The model for an image size and its blocks; StudyError where it cannot be cut or built."""
    import keras

    pixels = keras.Input((size, size, 3), name="pixels")
    try:
        model = build(pixels)
    except StudyError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise StudyError(
            f"{name}: cannot be built for {size} px ({reason}); give another --image-size"
        ) from None
    blocks = find_blocks(model.inputs[0], model.outputs[0], stages)
    if len(blocks) < 2:
        raise StudyError(
            f"{name}: no tensor inside it carries every path from input to output, so it cannot be "
            "cut into blocks; give a base whose stages follow one another"
        )
    return model, blocks


def shapes_of_graph(name: str, build: Build, stages: str, size: int) -> tuple[tuple[int, ...], ...]:
    """Shape of a row at each cut for an image size."""
    _, blocks = graph_at(name, build, size, stages)
    return tuple(tuple(int(side) for side in block.entry.shape[1:]) for block in blocks)


def facts_of_graph(name: str, build: Build, stages: str = STAGES, size: int = PROBED) -> Facts:
    """Facts whose cuts hold names and channels alone: shapes are the graph's at each size."""
    model, blocks = graph_at(name, build, size, stages)
    cuts = tuple(Cut(block.name, 0, 1, int(block.entry.shape[-1])) for block in blocks)
    return Facts(model.count_params(), int(model.outputs[0].shape[-1]), 32, cuts, SPEED)
