"""Rows of new images: decoded, given to every fold model, joined into what is predicted."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ensemble_kit.core.errors import DataError, some
from ensemble_kit.core.listening import Tell, say_nothing
from ensemble_kit.data.new_images import NewImage
from ensemble_kit.models.fold_ensemble import FoldOutputs
from ensemble_kit.posthoc.spread import mutual_information
from ensemble_kit.training.model_cache import warm_up
from ensemble_kit.workflows.beside import Beside, outputs_of_member
from ensemble_kit.workflows.pieces import Piece, decoded
from ensemble_kit.workflows.predicted import Bounds, Predicted
from ensemble_kit.workflows.shipped import Shipped

BATCH = 32
NO_BOUNDS = Bounds()


@dataclass(frozen=True)
class PredictOptions:
    """batch : images at a time. jobs : decoding threads, 0 for one a core. bounds : rows beyond
    them are marked, or left out with ``drop``."""

    batch: int = BATCH
    jobs: int = 0
    skip_damaged: bool = False
    bounds: Bounds = NO_BOUNDS
    drop: bool = False


def stream(
    shipped: Shipped, images: Sequence[NewImage], options: PredictOptions, tell: Tell = say_nothing,
    given: Beside | None = None, fill: bool | None = None,
) -> Iterator[Predicted]:  # fmt: skip
    """Pieces of at most ``options.batch`` rows, in the order of the images. fill : whether a last,
    short batch is filled up; default: where there are several."""
    for piece, outputs in outputs_of(shipped, images, options, tell, given, fill):
        yield _rows(shipped, piece, outputs, options)


def outputs_of(
    shipped: Shipped, images: Sequence[NewImage], options: PredictOptions, tell: Tell = say_nothing,
    given: Beside | None = None, fill: bool | None = None,
) -> Iterator[tuple[Piece, list[FoldOutputs]]]:  # fmt: skip
    """The fold models' outputs, one for each member, batch by batch.

    given : what members see beside pixels. Raises DataError naming images that cannot be read,
    unless they are to be skipped.
    """
    inputs = {m.input for m in shipped.members if m.sees_images}
    if inputs:
        warm_up(0)
    given = given or Beside()
    fill = len(images) > options.batch if fill is None else fill
    for piece in decoded(images, sorted(inputs), options.batch, options.jobs):
        if piece.damaged and not options.skip_damaged:
            raise DataError(
                f"{some(piece.damaged)}; mend or remove what is named, or give --skip-damaged to "
                "leave such images out"
            )
        ids = [image.image_id for image in piece.images]
        yield (
            piece,
            [
                outputs_of_member(
                    m,
                    ids,
                    piece.pixels.get(m.input) if m.sees_images else None,
                    given,
                    options.batch,
                    fill=fill,
                )
                for m in shipped.members
            ],
        )
        tell("step", n=len(piece.images) + len(piece.damaged))


def _rows(
    shipped: Shipped, piece: Piece, outputs: Sequence[FoldOutputs], options: PredictOptions
) -> Predicted:
    p = shipped.probabilities(outputs)
    models = np.concatenate(list(shipped.by_member(outputs)))
    sets = shipped.inside(outputs, p)
    spread, novelty = mutual_information(models), shipped.percentiles(outputs)
    confidence, sizes = p.max(axis=1), sets.sum(axis=1)
    rejected = [
        options.bounds.reasons({"spread": s, "novelty": n, "set": float(size), "confidence": c})
        for s, n, size, c in zip(spread, novelty, sizes, confidence, strict=True)
    ]
    kept = np.array([not (options.drop and why) for why in rejected], dtype=np.bool_)
    ids = np.array([image.image_id for image in piece.images], dtype=np.str_)
    return Predicted(
        class_names=shipped.class_names,
        image_ids=ids[kept],
        probabilities=p[kept],
        decisions=shipped.decision.decide(p)[kept],
        sets=sets[kept],
        spread=spread[kept],
        novelty=novelty[kept],
        rejected=np.array(rejected, dtype=np.str_)[kept],
        bounded=bool(options.bounds.limits),
        skipped=piece.damaged,
        notes=piece.notes,
    )
