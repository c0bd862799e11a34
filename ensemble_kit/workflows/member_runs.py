"""`cv` of several members: a run each on the same folds and pixels, then their ensemble."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ensemble_kit.core.errors import StudyError
from ensemble_kit.core.listening import Tell, say_nothing
from ensemble_kit.models.weights import resolve_weights
from ensemble_kit.study import StudySpec
from ensemble_kit.study.members import MemberSpec
from ensemble_kit.training.preparing import Resources
from ensemble_kit.workflows.cross_validation import cross_validate
from ensemble_kit.workflows.cv_tables import read_table_run
from ensemble_kit.workflows.ensemble import EnsembledRun, ensemble
from ensemble_kit.workflows.finished import FinishedRun
from ensemble_kit.workflows.inputs import RUNS_DIR, Images, check_network


@dataclass(frozen=True, eq=False)
class MemberRuns:
    """The run of each member, in the order given, and the ensemble of all."""

    members: tuple[FinishedRun, ...]
    ensembled: EnsembledRun


def member_studies(study: StudySpec, backbones: Sequence[str] = ()) -> dict[str, StudySpec]:
    """Name of a member -> its study: the one given with what the member has otherwise.

    backbones : in place of the study's ``[[members]]``. All are checked before any work;
    StudyError for two members of one name or of the same settings, or a backbone that does not fit
    size or depth.
    """
    if backbones and study.members:
        raise StudyError(
            f"the study lists {len(study.members)} [[members]] of its own; leave --backbone out"
        )
    given = study.members or [MemberSpec(model={"backbone": name}) for name in backbones]
    alone = study.model_copy(update={"members": ()})
    studies: dict[str, StudySpec] = {}
    for member in given:
        own = alone.override({"model": member.model, "training": member.training})
        name = member.name or _usual_name(own)
        if own.model.inputs == "images":
            _check_member(name, own)
        if name in studies:
            raise StudyError(
                f"two members would be called {name}; name each backbone once, or give members of "
                "one backbone a name each (another seed is a run of its own: cv --seed)"
            )
        for other, theirs in studies.items():
            if theirs.digest == own.digest:
                raise StudyError(
                    f"members {other} and {name} have the same settings and would be the same "
                    "models; change one or leave it out"
                )
        studies[name] = own
    return studies


def _check_member(name: str, own: StudySpec) -> None:
    """StudyError that names the member where its backbone, size or depth cannot be."""
    try:
        check_network(own)
    except StudyError as error:
        raise StudyError(f"member {name}: {error}") from None


def _usual_name(study: StudySpec) -> str:
    """A member's name where none is given: its backbone's, or what it sees in place of images."""
    if study.model.inputs != "images":
        return study.model.inputs
    file = Path(study.model.backbone).name.removesuffix(".keras")
    return re.sub(r"[^A-Za-z0-9]+", "-", file).strip("-")


def _check_what_is_there(studies: Mapping[str, StudySpec], images: Images, samples: Path) -> None:
    """Weights and tables of every member, before the first is trained."""
    for study in studies.values():
        if study.model.inputs == "images":
            resolve_weights(check_network(study), study.model.weights)
        else:
            read_table_run(images, study, None, None, samples)


def cross_validate_members(
    study: StudySpec,
    backbones: Sequence[str] = (),
    *,
    name: str,
    images: Images = None,
    runs_dir: Path = RUNS_DIR,
    resources: Resources | None = None,
    overwrite: bool = False,
    tell: Tell = say_nothing,
) -> MemberRuns:
    """A run ``name-MEMBER`` for each of the study's members, and ``name``, their ensemble.

    backbones : members that differ in their backbone alone, where the study lists none.

    Folds follow from the study's split, so all members have the same; decoded pixels are shared.
    The same call resumes: a finished fold is never trained again.
    """
    studies = member_studies(study, backbones)
    resources = resources or Resources()
    _check_what_is_there(studies, images, resources.store_dir / "sample")
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
