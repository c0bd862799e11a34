"""`cv` of several backbones: a run each on the same folds and pixels, then their ensemble."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ensemble_kit.core.errors import StudyError
from ensemble_kit.core.listening import Tell, say_nothing
from ensemble_kit.models import check_model_spec
from ensemble_kit.study import StudySpec
from ensemble_kit.training.preparing import Resources
from ensemble_kit.workflows.cross_validation import cross_validate
from ensemble_kit.workflows.ensemble import EnsembledRun, ensemble
from ensemble_kit.workflows.finished import FinishedRun
from ensemble_kit.workflows.inputs import RUNS_DIR, Images


@dataclass(frozen=True, eq=False)
class MemberRuns:
    """The run of each backbone, in the order given, and the ensemble of all."""

    members: tuple[FinishedRun, ...]
    ensembled: EnsembledRun


def member_studies(study: StudySpec, backbones: Sequence[str]) -> dict[str, StudySpec]:
    """Name of a member -> its study: the one given with another backbone. All are checked before
    any work; StudyError for a backbone named twice or one that does not fit size or depth."""
    studies: dict[str, StudySpec] = {}
    for backbone in backbones:
        own = study.override({"model": {"backbone": backbone}})
        check_model_spec(own.model)
        name = re.sub(r"[^A-Za-z0-9]+", "-", Path(backbone).name.removesuffix(".keras")).strip("-")
        if name in studies:
            raise StudyError(
                f"backbone {backbone!r}: two members would be called {name}; name each backbone "
                "once (another seed of the same one is a run of its own: cv --seed)"
            )
        studies[name] = own
    return studies


def cross_validate_members(
    study: StudySpec,
    backbones: Sequence[str],
    *,
    name: str,
    images: Images = None,
    runs_dir: Path = RUNS_DIR,
    resources: Resources | None = None,
    overwrite: bool = False,
    tell: Tell = say_nothing,
) -> MemberRuns:
    """A run ``name-BACKBONE`` for each backbone, and ``name``, their ensemble.

    Folds follow from the study's split, so all members have the same; decoded pixels are shared.
    The same call resumes: a finished fold is never trained again.
    """
    studies = member_studies(study, backbones)
    runs = tuple(
        cross_validate(
            images, own, name=f"{name}-{member}", runs_dir=runs_dir, resources=resources,
            overwrite=overwrite, tell=tell,
        )
        for member, own in studies.items()
    )  # fmt: skip
    done = ensemble(
        runs, name=name, runs_dir=runs_dir, evaluation=study.evaluation, seed=study.split.seed,
        overwrite=overwrite,
    )  # fmt: skip
    return MemberRuns(runs, done)
