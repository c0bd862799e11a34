"""What a cross-validation would do, and what can be refused before it does anything."""

from collections.abc import Sequence
from dataclasses import dataclass

from ensemble_kit.core.listening import Tell, say_nothing
from ensemble_kit.core.records import Folds, ImageTable
from ensemble_kit.data.giveaways import asked_columns
from ensemble_kit.data.sample.folder import sample_folder
from ensemble_kit.metrics.slices import make_slices
from ensemble_kit.metrics.view import check_names_of_view
from ensemble_kit.stores.pixels import PixelPlan, plan_pixels
from ensemble_kit.study import StudySpec
from ensemble_kit.study.members import refuse_members
from ensemble_kit.training.executors import check_place
from ensemble_kit.training.plan import PixelFacts, StorePlan, plan_stores
from ensemble_kit.training.preparing import (
    Resources,
    check_inner_holdout,
    find_weights,
    known_weights,
)
from ensemble_kit.training.speeds import Forecast, forecast
from ensemble_kit.workflows.inputs import Images, check_network, draws_of, read_images


@dataclass(frozen=True, eq=False)
class CrossValidationPlan:
    """What a cross-validation would compute: nothing is decoded, fetched or written for it.

    draws : one ``Folds`` a repeat. weights_there : whether the first weights need no download.
    forecast : seconds, and whether they rest on rates measured on this machine.
    """

    images: ImageTable
    study: StudySpec
    draws: tuple[Folds, ...]
    pixels: PixelPlan
    stores: StorePlan
    weights_there: bool
    forecast: Forecast


def plan_cross_validation(
    images: Images = None,
    study: StudySpec | None = None,
    *,
    folds: Folds | Sequence[Folds] | None = None,
    resources: Resources | None = None,
    tell: Tell = say_nothing,
) -> CrossValidationPlan:
    """Read the tables and say what :func:`cross_validate` would do, and at what cost. Cards and
    cluster are looked for, workers are not asked."""
    study, resources = study or StudySpec(), resources or Resources()
    refuse_members(study.members, "a plan")
    check_network(study)
    check_place(study.cluster)
    with sample_folder(resources.store_dir, keep=False) as sample:
        table, _ = read_images(images, study, sample, tell=tell)
        study, draws = draws_of(table, study, folds, tell=tell)
        check_first(table, draws, study)
        size, aspect = study.model.image_size, study.model.aspect
        pixels = plan_pixels(table, size, aspect, resources.store_dir, remember=False)
        known = known_weights(study)
        stores = plan_stores(
            study, PixelFacts(pixels.digest, len(table)), find_weights(study)[1] if known else "",
            resources.store_dir, resources.store_limit,
        )  # fmt: skip
    times = forecast(resources.store_dir, study, len(table), stores.views, stores.passes)
    return CrossValidationPlan(table, study, tuple(draws), pixels, stores, known, times)


def check_first(table: ImageTable, draws: Sequence[Folds], study: StudySpec) -> tuple[str, ...]:
    """Refuse, before any work, what would otherwise be refused after it; warnings about metadata
    that was asked for though it gives the label away."""
    check_names_of_view(study.evaluation.malignant, table.class_names, study.data.vocabulary)
    make_slices(table, study.evaluation.slices)
    check_inner_holdout(table, draws, study)
    return asked_columns(table, study.model.metadata, study.model.metadata_anyway)[1]


def metadata_note(study: StudySpec) -> str:
    """How metadata joins a network, in words."""
    return (
        f"Metadata ({', '.join(study.model.metadata)}) joins the pooled features before the head, "
        "which is solved on both; encoders were fitted on each training part. What metadata adds "
        "to the class scores stays as solved while blocks are trained."
    )
