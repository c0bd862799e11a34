"""What a study will compute, what is there already, and what it costs, before anything starts."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ensemble_kit.core.errors import StoreError, some
from ensemble_kit.core.machine import multiplies_bfloat16
from ensemble_kit.core.wording import size_text
from ensemble_kit.models import check_model_spec
from ensemble_kit.models.device import configured_backend, policy_for
from ensemble_kit.stores.activations import FOLDER, ActivationKey, ActivationStore
from ensemble_kit.study import StudySpec
from ensemble_kit.training.speeds import Basis, rate_of

KINDS: tuple[Literal["cpu", "gpu"], ...] = ("cpu", "gpu")


@dataclass(frozen=True)
class StorePlan:
    """The activations of one image size that a study reads.

    keys : stores to have; depth 0 holds pooled features. views : dihedral views of each image.
    fine_tune : where the second phase takes its rows from.
    total_bytes, missing_bytes : of all keys. passes : images × views yet to go through the
    network. seconds : for them, by the rate of ``basis``. notes : choices a reader should know of.
    """

    keys: tuple[ActivationKey, ...]
    views: int
    fine_tune: Literal["store", "pixels", "none"]
    total_bytes: int
    missing_bytes: int
    passes: int
    seconds: float
    basis: Basis = "guessed"
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class PixelFacts:
    """What a plan needs of the pixels: digest ("" if not made yet), number of images."""

    digest: str
    rows: int


def plan_stores(
    spec: StudySpec,
    pixels: PixelFacts,
    weights_digest: str,
    store_dir: Path,
    limit_bytes: float,
    depths: Sequence[int] | None = None,
    *,
    kind: Literal["cpu", "gpu"] | None = None,
) -> StorePlan:
    """Choose stores, views and sources for a study.

    kind : of the device that fills them; where it is not known yet (None), the one that finds
    more of its stores there.
    depths : the cuts that several trials will ask for; by default the study's own. When the cut
    does not fit ``limit_bytes``, fewer views are stored; when one view does not fit, the second
    phase trains from pixels. Raises StoreError when even pooled features do not fit.
    """
    if kind is None:
        place = store_dir, limit_bytes, depths
        plans = [plan_stores(spec, pixels, weights_digest, *place, kind=k) for k in KINDS]
        return min(plans, key=lambda plan: plan.missing_bytes)
    backbone = check_model_spec(spec.model)
    wanted_views = {"none": 1, "dihedral": spec.training.views, "online": 0}[spec.training.augment]
    fine_tuning = spec.model.unfreeze_depth > 0 and spec.training.fine_tune_epochs > 0
    cuts = sorted(set(depths if depths is not None else [spec.model.unfreeze_depth]))
    cuts = [d for d in cuts if 0 < d < backbone.n_blocks and (fine_tuning or depths is not None)]
    if wanted_views == 0:
        note = "online augmentation changes every image in every epoch: training end to end"
        source: Literal["pixels", "none"] = "pixels" if fine_tuning else "none"
        return StorePlan((), 8, source, 0, 0, 0, 0.0, notes=(note,))

    def key(depth: int) -> ActivationKey:
        return ActivationKey(
            pixels=pixels.digest,
            backbone=backbone.name,
            preprocessing=backbone.preprocessing,
            weights=weights_digest,
            backend=configured_backend(),
            precision=policy_for(spec.training.precision, kind),
            depth=depth,
            dtype="float32" if depth == 0 else spec.training.store_dtype,
            shape=backbone.cut_shape(spec.model.image_size, depth),
            rows=pixels.rows,
        )

    pooled, cut_keys = key(0), tuple(key(depth) for depth in cuts)
    notes = []
    if spec.training.idle:
        notes.append(
            f"{some(spec.training.idle)}: no effect, since the head is solved; give --head sgd to "
            "train it by epochs"
        )
    if kind == "cpu" and spec.training.precision == "bfloat16" and not multiplies_bfloat16():
        notes.append(
            "this processor has no instructions for bfloat16: --precision float32 is faster here"
        )
    for views in range(wanted_views, 0, -1):
        total = sum(k.total_bytes(views) for k in (pooled, *cut_keys))
        if total <= limit_bytes:
            break
    else:
        views, cut_keys, total = wanted_views, (), pooled.total_bytes(wanted_views)
        if total > limit_bytes:
            raise StoreError(
                f"pooled features of {pixels.rows:,} images × {views} views take "
                f"{size_text(total)}, over the limit of {size_text(limit_bytes)}; "
                "give a larger --store-limit or fewer --views"
            )
        notes.append(
            f"activations of one view exceed the store limit of {size_text(limit_bytes)}: "
            "the last blocks train from pixels (slower, same result)"
        )
    if cut_keys and views < wanted_views:
        notes.append(
            f"{views} of {wanted_views} views are stored: more would exceed the limit of "
            f"{size_text(limit_bytes)} (--store-limit)"
        )
        if spec.training.test_views > views:
            notes.append(
                f"predictions are means over {views} views, not the {spec.training.test_views} "
                "asked for: no more are stored"
            )
    keys = (pooled, *cut_keys)
    stores = [ActivationStore(store_dir / FOLDER / k.digest[:16], k) for k in keys]
    ready = [[bool(pixels.digest) and store.ready(v) for v in range(views)] for store in stores]
    missing = sum(
        store.key.rows * store.key.row_bytes(v)
        for store, states in zip(stores, ready, strict=True)
        for v in range(views)
        if not states[v]
    )
    complete = total - missing
    if not spec.cluster.stage:  # else each worker has a store of its own
        _check_disk(store_dir, missing + complete - sum(store.bytes_there() for store in stores))
    passes = pixels.rows * sum(not all(states[v] for states in ready) for v in range(views))
    rate = rate_of(store_dir, spec, "forward")
    in_store = bool(cut_keys) and spec.model.unfreeze_depth < backbone.n_blocks
    fine_tune: Literal["store", "pixels", "none"] = "none"
    if fine_tuning:
        fine_tune = "store" if in_store else "pixels"
    return StorePlan(
        keys, views, fine_tune, total, missing, passes,
        passes / rate.images_per_second, rate.basis, tuple(notes),
    )  # fmt: skip


def _check_disk(store_dir: Path, missing: int) -> None:
    place = store_dir
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if missing > free:
        raise StoreError(
            f"the stores need {size_text(missing)} more, but {store_dir} has {size_text(free)} "
            "free; free some space, give --store another folder, or a smaller --store-limit"
        )
