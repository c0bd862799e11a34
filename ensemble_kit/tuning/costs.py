"""What a space can ask the stores for: sizes, cuts, bytes and minutes, before anything starts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ensemble_kit.core.errors import SearchError
from ensemble_kit.core.records import ImageTable
from ensemble_kit.core.wording import size_text
from ensemble_kit.stores.pixels import plan_pixels
from ensemble_kit.study import StudySpec
from ensemble_kit.training.plan import PixelFacts, StorePlan, plan_stores
from ensemble_kit.training.preparing import Resources, find_weights, known_weights
from ensemble_kit.training.speeds import BASES, Forecast, forecast
from ensemble_kit.tuning.sampling import values_of, with_params

WORKER_BYTES = 1.5e9


@dataclass(frozen=True)
class SizeCost:
    """One backbone at one image size: bytes of decoded pixels (0 to come if ready), the plan of
    its activations with every cut the space can ask for; what all folds of a trial take at each."""

    backbone: str
    image_size: int
    pixel_bytes: int
    pixels_ready: bool
    stores: StorePlan
    trials: tuple[Forecast, ...] = ()


@dataclass(frozen=True)
class SpaceCost:
    """All of them. store_limit : bytes that each size may use, so that all fit together."""

    sizes: tuple[SizeCost, ...]
    depths: tuple[int, ...]
    store_limit: float
    notes: tuple[str, ...] = ()

    @property
    def total_bytes(self) -> int:
        return sum(size.pixel_bytes + size.stores.total_bytes for size in self.sizes)

    @property
    def trial(self) -> Forecast:
        """All folds of a trial, stores there: the mean over sizes and cuts."""
        found = [times for size in self.sizes for times in size.trials]
        basis = max((times.basis for times in found), key=list(BASES).index)
        return Forecast(0.0, sum(times.train_seconds for times in found) / len(found), basis)

    @property
    def seconds(self) -> float:
        return sum(size.stores.seconds for size in self.sizes)


def cost_of_space(
    table: ImageTable, spec: StudySpec, resources: Resources, *, dry: bool = False
) -> SpaceCost:
    """Plan the stores of every backbone and size of a space, with most views it can have.

    dry : write nothing and fetch nothing; weights that are not there yet have no stores either.
    """
    depths = tuple(values_of(spec, "unfreeze_depth"))
    plans = _plans(table, spec, resources, depths, dry)
    total = sum(size.stores.total_bytes for size in plans)
    if total <= resources.store_limit:
        return SpaceCost(tuple(plans), depths, resources.store_limit)
    limit = resources.store_limit / len(plans)
    plans = _plans(table, spec, replace(resources, store_limit=limit), depths, dry)
    note = (
        f"the activations of all sizes would take {size_text(total)}: each of {len(plans)} sizes "
        f"gets {size_text(limit)} of the limit (--store-limit)"
    )
    return SpaceCost(tuple(plans), depths, limit, (note,))


def check_jobs(jobs: int, memory: float) -> None:
    """Raise SearchError where ``jobs`` training processes cannot fit in ``memory`` bytes."""
    fit = max(1, int(memory / WORKER_BYTES))
    if jobs > fit:
        raise SearchError(
            f"--jobs {jobs} needs about {jobs * WORKER_BYTES / 1e9:.0f} GB of memory (1.5 GB a "
            f"training process), but the machine has {memory / 1e9:.0f} GB; give --jobs {fit} or "
            "fewer"
        )


def _plans(
    table: ImageTable,
    spec: StudySpec,
    resources: Resources,
    depths: Sequence[int],
    dry: bool,
) -> list[SizeCost]:
    views = max(values_of(spec, "views"))
    augment = max(values_of(spec, "augment"), key=("online", "none", "dihedral").index)
    found = []
    for backbone in values_of(spec, "backbone"):
        for size in values_of(spec, "image_size"):
            point = with_params(
                spec,
                {"backbone": backbone, "image_size": size, "views": views, "augment": augment,
                 "unfreeze_depth": max(depths)},
            )  # fmt: skip
            weights = "" if dry and not known_weights(point) else find_weights(point)[1]
            place, aspect = resources.store_dir, spec.model.aspect
            pixels = plan_pixels(table, size, aspect, place, remember=not dry)
            facts = PixelFacts(pixels.digest, len(table))
            stores = plan_stores(point, facts, weights, place, resources.store_limit, depths)
            trials = tuple(
                forecast(
                    place,
                    with_params(point, {"unfreeze_depth": depth}),
                    len(table),
                    stores.views,
                    0,
                )
                for depth in depths
            )
            found.append(SizeCost(backbone, size, pixels.n_bytes, pixels.ready, stores, trials))
    return found
