"""Everything a study's folds share, made once before any fold starts."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ensemble_kit.core.digests import digest_of
from ensemble_kit.core.errors import SplitError
from ensemble_kit.core.listening import Tell
from ensemble_kit.core.machine import cores
from ensemble_kit.core.records import Folds, ImageTable, Ints
from ensemble_kit.data.encoding import metadata_columns
from ensemble_kit.models import check_model_spec
from ensemble_kit.models.device import policy_for
from ensemble_kit.models.draws import INNER, FoldSeed
from ensemble_kit.models.own import absolute
from ensemble_kit.models.weights import fetched, resolve_weights, weights_digest
from ensemble_kit.splits import hold_out_groups
from ensemble_kit.stores.pixel_filling import PIXELS
from ensemble_kit.stores.pixels import PixelStore, fill_pixels
from ensemble_kit.study import StudySpec
from ensemble_kit.training.filling import FillJob, fill_task
from ensemble_kit.training.jobs import FoldJob, PixelFile
from ensemble_kit.training.plan import PixelFacts, StorePlan, plan_stores
from ensemble_kit.training.workers import Workers


@dataclass(frozen=True)
class Resources:
    """Where and how fast. store_limit in bytes.

    Two settings have a bearing on results, and the manifest records both: a small ``store_limit``
    stores fewer views, and ``jobs`` divides the threads, which rounds sums differently.
    """

    store_dir: Path = Path("store")
    store_limit: float = 20e9
    jobs: int = 1
    tensorboard: bool = False


@dataclass(frozen=True, eq=False)
class Prepared:
    """Pixels and activations of one image size, ready to be read by any fold."""

    table: ImageTable
    pixels: PixelStore
    weights: Path | None
    weights_digest: str
    plan: StorePlan
    resources: Resources
    precision: str = "float32"


def find_weights(spec: StudySpec) -> tuple[Path | None, str]:
    """File of the base's first weights (None: random) and their digest."""
    backbone = check_model_spec(spec.model)
    path = resolve_weights(backbone, spec.model.weights)
    return path, weights_digest(path, spec.split.seed, backbone, spec.model.image_size)


def known_weights(spec: StudySpec) -> bool:
    """Whether the first weights can be had without a download."""
    backbone = check_model_spec(spec.model)
    if spec.model.weights != "imagenet" or not backbone.facts.weights_file:
        return True
    return fetched(backbone) is not None


def prepare_study(
    table: ImageTable,
    spec: StudySpec,
    resources: Resources,
    workers: Workers,
    *,
    depths: Sequence[int] | None = None,
    tell: Tell,
) -> Prepared:
    """Decode what is not decoded, then fill the activation stores in one pass.

    tell : receives ``kind`` and facts of each step: "pixels", "plan", "fill".
    """
    weights, digest = find_weights(spec)
    weights = None if weights is None else weights.absolute()
    tell("pixels", total=len(table))
    pixels = fill_pixels(
        table,
        spec.model.image_size,
        spec.model.aspect,
        resources.store_dir,
        jobs=cores(),
        on_progress=lambda n: tell("pixels_step", n=n),
    )
    facts = PixelFacts(pixels.digest, len(table))
    filler = workers.alone()
    kind = filler.device().kind
    plan = plan_stores(
        spec, facts, digest, resources.store_dir, resources.store_limit, depths, kind=kind
    )
    tell("plan", plan=plan)
    if plan.passes and not workers.staged:
        jobs = [
            FillJob(
                spec=for_processes(spec),
                n_classes=table.n_classes,
                weights=weights,
                pixels=pixel_file(pixels),
                store_dir=resources.store_dir.absolute(),
                keys=plan.keys,
                views=plan.views,
                events=workers.events.absolute() / f"fill_{number}.jsonl",
                threads=filler.threads,
            )
            for number in range(filler.several(plan.passes // len(table)))
        ]
        tell("fill", total=plan.passes)
        done = filler.finish([filler.submit(fill_task, job) for job in jobs])
        tell(
            "filled",
            images=sum(part.report.computed for part in done),
            seconds=max(part.seconds for part in done),
        )
    return Prepared(
        table, pixels, weights, digest, plan, resources, policy_for(spec.training.precision, kind)
    )


def check_inner_holdout(table: ImageTable, draws: Sequence[Folds], spec: StudySpec) -> None:
    """Raise SplitError, before anything is computed, where a fold's training part has no group to
    choose the epoch by."""
    if spec.training.early_stopping != "inner":
        return
    rows = np.arange(len(table))
    for repeat, folds in enumerate(draws):
        for k in range(folds.n_folds):
            train = rows[~folds.held_out(k) & (folds.fold >= 0)]
            number = FoldSeed(spec.split.seed, repeat, k).number(INNER)
            if not hold_out_groups(table, train, spec.training.inner_share, number).any():
                raise _no_inner(k)


def _no_inner(fold: int) -> SplitError:
    return SplitError(
        f"fold {fold}: no group of its training part can be held out to choose the epoch by; give "
        "--early-stopping none or validation"
    )


def for_processes(spec: StudySpec) -> StudySpec:
    """A study whose base is found from whatever folder a process was begun in."""
    return spec.override({"model": {"backbone": absolute(spec.model.backbone)}})


def pixel_file(pixels: PixelStore) -> PixelFile:
    return PixelFile(pixels.folder.absolute() / PIXELS, (len(pixels), pixels.size, pixels.size, 3))


def fold_job(
    prepared: Prepared, spec: StudySpec, folds: Folds, seed: FoldSeed, folder: Path,
    workers: Workers, *, keep_model: bool = True,
) -> FoldJob:  # fmt: skip
    """The job of one fold: its rows, the rows that choose its epoch, and where things are.

    Rows of fold -1 are in no fold: never trained on, used for early stopping or predicted.
    """
    table = prepared.table
    rows = np.arange(len(table))
    held = rows[folds.held_out(seed.fold)]
    train = rows[~folds.held_out(seed.fold) & (folds.fold >= 0)]
    stopping_rows = held if spec.training.early_stopping == "validation" else held[:0]
    if spec.training.early_stopping == "inner":
        inner = hold_out_groups(table, train, spec.training.inner_share, seed.number(INNER))
        train, stopping_rows = train[~inner], train[inner]
        if not len(stopping_rows):
            raise _no_inner(seed.fold)
    columns = metadata_columns(table, spec.model.metadata)
    coded = [[(name, [str(v) for v in c]) for name, c in columns.items()]] if columns else []
    digest = digest_of(spec.digest, folds.digest, prepared.pixels.digest, prepared.weights_digest,
                       prepared.plan.views, table.digest, prepared.precision,
                       *coded)  # fmt: skip
    return FoldJob(
        spec=for_processes(spec),
        seed=seed,
        image_ids=table.image_ids,
        class_names=table.class_names,
        labels=table.labels,
        groups=table.group_codes,
        train=_writable(train),
        stopping_rows=_writable(stopping_rows),
        held=_writable(held),
        pixels=pixel_file(prepared.pixels),
        weights=prepared.weights,
        store_dir=prepared.resources.store_dir.absolute(),
        keys=prepared.plan.keys,
        views=prepared.plan.views,
        folder=folder.absolute(),
        events=workers.events.absolute() / f"fold_{seed.repeat}_{seed.fold}.jsonl",
        digest=digest,
        threads=workers.threads,
        keep_model=keep_model,
        tensorboard=prepared.resources.tensorboard,
        metadata={name: np.array(column) for name, column in columns.items()},
    )


def _writable(rows: Ints) -> Ints:
    return np.array(rows, dtype=np.int64)
