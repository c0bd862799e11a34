"""`ensemble`: runs and prediction files into one calibrated, cross-fitted run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, cast

from ensemble_kit.core.checked import check_value
from ensemble_kit.core.errors import StudyError, some
from ensemble_kit.core.listening import Tell, say_nothing
from ensemble_kit.core.places import check_inputs_outside
from ensemble_kit.core.records import Ints
from ensemble_kit.data.prediction_rows import Asked
from ensemble_kit.metrics.view import check_names_of_view
from ensemble_kit.posthoc.conformal.nonconformity import SCORES, Score
from ensemble_kit.posthoc.conformal.quantiles import UNITS, Unit
from ensemble_kit.posthoc.conformal.spec import SET_METHODS, SetMethod, SetSpec
from ensemble_kit.posthoc.selection.catalogue import AUTO_METHODS, CALIBRATORS, METHODS
from ensemble_kit.posthoc.selection.choice import OBJECTIVES
from ensemble_kit.posthoc.selection.fitting import ChainSpec
from ensemble_kit.runs.costs import CostsRecord
from ensemble_kit.runs.folder import find_run
from ensemble_kit.runs.manifest import is_run, record_files
from ensemble_kit.runs.nested_members import NestedMembersRecord
from ensemble_kit.study import DataSpec, EvaluationSpec, Study
from ensemble_kit.study.space import OLD_METRICS
from ensemble_kit.workflows.costs import OF_CHAIN, judge_costs, read_costs, write_costs
from ensemble_kit.workflows.ensemble_files import check_free, ensemble_digest, write_ensemble
from ensemble_kit.workflows.ensembling import EnsembleStudy, study_ensemble
from ensemble_kit.workflows.finished import FinishedRun
from ensemble_kit.workflows.inputs import RUNS_DIR, STORE_DIR
from ensemble_kit.workflows.matching import check_reading
from ensemble_kit.workflows.members import gather
from ensemble_kit.workflows.nested_members import audit_nested, check_one_split, nested_sentence
from ensemble_kit.workflows.refitting import Refit, prepare_refits

Member = FinishedRun | Path | str
PROBE_OF = ":probe"
"""Ending of a member that is the linear probe of a run: ``isic:probe``."""
SCOPES = ("class", "marginal")
SHIFTED = (
    "The correction to other class frequencies is in the saved chain, for new images; the figures "
    "and probabilities of this run are without it, because its images have their own frequencies."
)


@dataclass(frozen=True)
class EnsembleSettings:
    """How members are combined, calibrated and turned into sets (docs/ensembles.md).

    prevalence : class -> share that the probabilities are corrected to (Saerens 2002); classes
    not named share the rest as they do in the data. set_level : coverage of the sets.
    """

    method: str = "auto"
    calibrate: str = "auto"
    objective: str = "log_loss"
    prevalence: tuple[tuple[str, float], ...] = ()
    set_level: float = 0.9
    set_score: str = "lac"
    set_scope: str = "class"
    set_unit: str = "weighted"
    set_method: str = "threshold"


@dataclass(frozen=True, eq=False)
class EnsembledRun:
    """The run folder made, and all that was found out on the way."""

    run: FinishedRun
    found: EnsembleStudy
    costs: CostsRecord | None = None
    nested: NestedMembersRecord | None = None


def ensemble(
    members: Sequence[Member],
    *,
    predictions: Sequence[Path] = (),
    truth: Path | None = None,
    folds_file: Path | None = None,
    align: bool = False,
    asked: Asked | None = None,
    reading: DataSpec | None = None,
    settings: EnsembleSettings | None = None,
    evaluation: EvaluationSpec | None = None,
    name: str = "ensemble",
    runs_dir: Path = RUNS_DIR,
    seed: int = 0,
    overwrite: bool = False,
    costs: Path | None = None,
    nested_members: bool = False,
    store_dir: Path = STORE_DIR,
    tell: Tell = say_nothing,
) -> EnsembledRun:
    """Combine and calibrate out-of-fold predictions; nothing fitted is judged on its own rows.

    members : runs (opened, folders or names below ``runs_dir``) and files of predictions, which
    may also be given as ``predictions``; ``"isic:probe"`` is the linear probe of the run isic.
    truth, folds_file, asked, reading : of the files, as ``evaluate_files`` takes them.
    align : keep the images that all members have. costs : table of classes and actions
    (``evaluate_files``). nested_members : also fit the chain to members fitted anew without the
    fold being judged, which runs of features or metadata and probes (features in ``store_dir``)
    allow. Raises PredictionsError, SplitError, StudyError or RunError
    before anything is written. tell : hears "matched" and "working".
    """
    settings = settings or EnsembleSettings()
    check_reading(reading or DataSpec(), truth)
    chain = chain_spec(settings, seed)
    probes = [m for m in members if isinstance(m, str) and m.endswith(PROBE_OF)]
    folders, files = _apart([m for m in members if m not in probes], runs_dir)
    of_probes = [find_run(name.removesuffix(PROBE_OF), runs_dir) for name in probes]
    check_inputs_outside(runs_dir / name, "--name", [*folders, *of_probes, *files, *predictions])
    study = Study(
        name=name,
        split={"seed": seed},
        evaluation=(evaluation or EvaluationSpec()).model_dump(),
    )
    gathered = gather(
        folders, [*files, *predictions], truth, folds_file, align, seed, of_probes, asked, reading
    )
    refits: tuple[Refit, ...] = ()
    if nested_members:
        refits = prepare_refits(folders, of_probes, [*files, *predictions], store_dir)
        check_one_split(gathered, refits)
    tell("matched", notes=gathered.notes, warnings=gathered.warnings)
    table = gathered.table
    check_names_of_view(study.evaluation.malignant, table.class_names)
    priced = None if costs is None else read_costs(costs, table.class_names)
    target = prevalence_of(settings.prevalence, table.class_names, table.class_counts())
    chain = chain if target is None else ChainSpec(
        chain.method, chain.calibrator, chain.objective, target, chain.sets
    )  # fmt: skip
    if target is not None:
        gathered = replace(gathered, notes=(*gathered.notes, SHIFTED))
    digest = ensemble_digest(gathered.members, chain, study.evaluation.model_dump(), seed)
    check_free(runs_dir, digest, name, overwrite)

    def say(sentence: str) -> None:
        tell("working", sentence=sentence)

    found = study_ensemble(gathered, chain, study, seed, say)
    nested = audit_nested(found, refits, say) if refits else None
    if nested is not None:
        notes = (*gathered.notes, nested_sentence(nested))
        found = replace(found, gathered=replace(gathered, notes=notes))
    folder = write_ensemble(runs_dir, found, digest, overwrite)
    (folder / NestedMembersRecord.FILE).unlink(missing_ok=True)
    if nested is not None:
        record_files(folder, [nested.write(folder)])
    judged = None
    if priced is not None:
        p = found.predictions.in_order_of(table.image_ids).probabilities
        judged = judge_costs(table, p, priced, OF_CHAIN, study.evaluation.level)
        write_costs(folder, table, p, priced, judged)
    return EnsembledRun(FinishedRun(folder), found, judged, nested)


def settings_from(given: Mapping[str, Any]) -> EnsembleSettings:
    """Settings by name; StudyError for a name that is none. ``prevalence`` may be a mapping."""
    known = [field.name for field in fields(EnsembleSettings)]
    if unknown := sorted(set(given) - set(known)):
        raise StudyError(f"{some(unknown)} is no setting of an ensemble; there are {some(known)}")
    values = dict(given)
    shares = values.get("prevalence")
    if isinstance(shares, Mapping):
        for name, share in shares.items():
            check_value(f"prevalence of {name}", share, float)
        values["prevalence"] = tuple((str(name), float(share)) for name, share in shares.items())
    elif shares is not None and not isinstance(shares, tuple):
        raise StudyError(f"prevalence = {shares!r:.60}: give a mapping of classes to shares")
    for field in fields(EnsembleSettings):
        if field.name in given and field.name != "prevalence":
            check_value(field.name, given[field.name], field.type)
    return EnsembleSettings(**values)


def chain_spec(settings: EnsembleSettings, seed: int) -> ChainSpec:
    """The settings checked; StudyError names the option and what it takes."""
    old = OLD_METRICS.get(settings.objective, settings.objective)
    settings = replace(settings, objective=old)
    for option, value, known in (
        ("--method", settings.method, (*AUTO_METHODS, *METHODS)),
        ("--calibrate", settings.calibrate, ("auto", *CALIBRATORS)),
        ("--objective", settings.objective, OBJECTIVES),
        ("--set-score", settings.set_score, SCORES),
        ("--set-scope", settings.set_scope, SCOPES),
        ("--set-unit", settings.set_unit, UNITS),
        ("--set-method", settings.set_method, SET_METHODS),
    ):
        if value not in known:
            raise StudyError(f"{option} {value!r} is not known: give one of {'|'.join(known)}")
    if not 0.5 <= settings.set_level < 1:
        raise StudyError(
            f"--set-level {settings.set_level}: coverage lies in [0.5, 1); give 0.9, say"
        )
    sets = SetSpec(
        settings.set_level,
        cast(Score, settings.set_score),
        settings.set_scope == "class",
        cast(Unit, settings.set_unit),
        seed,
        cast(SetMethod, settings.set_method),
    )
    return ChainSpec(settings.method, settings.calibrate, settings.objective, None, sets)


def prevalence_of(
    given: tuple[tuple[str, float], ...], names: tuple[str, ...], counts: Ints
) -> tuple[float, ...] | None:
    """Shares of all classes, summing to 1, from those of some; None where none is given."""
    if not given:
        return None
    shares = dict(given)
    unknown = sorted(set(shares) - set(names))
    if unknown:
        raise StudyError(f"--prevalence {some(unknown)}: the classes are {some(names)}")
    total = sum(shares.values())
    rest = [name for name in names if name not in shares]
    bad = any(not 0 < share < 1 for share in shares.values())
    if bad or total > 1 + 1e-9 or (not rest and abs(total - 1) > 1e-6) or (rest and total >= 1):
        text = ",".join(f"{name}={share:g}" for name, share in given)
        raise StudyError(
            f"--prevalence {text!r}: each share lies between 0 and 1 and all classes together "
            "make 1"
        )
    seen = {name: float(n) + 0.5 for name, n in zip(names, counts.tolist(), strict=True)}
    of_rest = sum(seen[name] for name in rest)
    target = [shares.get(name, (1 - total) * seen[name] / max(of_rest, 1e-300)) for name in names]
    return tuple(share / sum(target) for share in target)


def _apart(members: Sequence[Member], runs_dir: Path) -> tuple[list[Path], list[Path]]:
    """Run folders, and files of predictions."""
    folders, files = [], []
    for member in members:
        if isinstance(member, FinishedRun):
            folders.append(member.folder)
        elif str(member).strip() and Path(member).is_file():
            run = runs_dir / member
            if len(Path(member).parts) == 1 and run != Path(member) and is_run(run):
                raise StudyError(
                    f"{member} is a file here and the name of a run: give {run} for the run, or "
                    "the file another name"
                )
            files.append(Path(member))
        else:
            folders.append(find_run(str(member), runs_dir))
    return folders, files
