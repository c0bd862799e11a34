"""Everything that predicts, as one network: pixels 0..255 to final probabilities."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ensemble_kit.core.errors import RunError, some
from ensemble_kit.models.chain_graph import chain_output
from ensemble_kit.models.fold_ensemble import FoldEnsemble


@dataclass(frozen=True, eq=False)
class GraphMember:
    """The fold models of one run. columns : its class of each of the output's."""

    name: str
    ensemble: FoldEnsemble
    views: int
    columns: tuple[int, ...]


def build_shipped_graph(
    members: Sequence[GraphMember], chain: Mapping[str, Any] | None, *, single: bool = False
) -> Any:
    """pixels (B, S, S, 3) float32 0..255 -> "probabilities" (B, C).

    Each member's prefix is there once, its tails side by side. single : instead of final
    probabilities those of every fold model of every member, (B, K, C). RunError where members
    take inputs of different sizes or list their classes in another order.
    """
    import keras

    sizes = {member.ensemble.image_size for member in members}
    if len(sizes) > 1:
        names = [f"{m.name} ({m.ensemble.image_size} px)" for m in members]
        raise RunError(
            f"{some(names)}: members of different input sizes cannot share one file's input; "
            "export them one by one, or make an ensemble of runs of one size"
        )
    (size,) = sizes
    pixels = keras.Input((size, size, 3), name="pixels")
    folds = []
    for place, member in enumerate(members):
        if member.columns != tuple(range(len(member.columns))):
            raise RunError(
                f"{member.name} lists its classes in another order than the ensemble; make its "
                "run with the classes in that order"
            )
        folds.append(_fold_means(member, pixels, place))
    if single:
        every = [p for member_folds in folds for p in member_folds]
        return keras.Model(pixels, keras.ops.stack(every, axis=1), name="fold_models")
    out = chain_output(chain, folds)
    named = keras.layers.Activation("linear", dtype="float32", name="probabilities")(out)
    return keras.Model(pixels, named, name="ensemble")


def _fold_means(member: GraphMember, pixels: Any, place: int) -> list[Any]:
    """Each fold model's probabilities, the mean over views.

    The views are one batch, so that the network stands in the file once, however many they are.
    """
    import keras

    ensemble = member.ensemble
    prefix = keras.Model(ensemble.whole.input, ensemble.prefix.output, name=f"prefix_{place}")
    if member.views == 1:
        return list(ensemble.probabilities_at(prefix(pixels)))
    views = [_turned(pixels, view) for view in range(member.views)]
    folds = ensemble.probabilities_at(prefix(keras.ops.concatenate(views, axis=0)))
    return [_mean_over_views(fold, member.views) for fold in folds]


def _mean_over_views(probabilities: Any, views: int) -> Any:
    """(views · B, C), view by view, to (B, C)."""
    import keras

    by_view = keras.ops.reshape(probabilities, (views, -1, probabilities.shape[-1]))
    return keras.ops.mean(by_view, axis=0)


def _turned(pixels: Any, view: int) -> Any:
    """As :func:`ensemble_kit.models.views.view_of`."""
    import keras

    result = keras.ops.transpose(pixels, (0, 2, 1, 3)) if view & 4 else pixels
    if view & 1:
        result = keras.ops.flip(result, axis=2)
    if view & 2:
        result = keras.ops.flip(result, axis=1)
    return result
