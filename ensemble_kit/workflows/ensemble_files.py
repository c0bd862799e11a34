"""The run folder of an ensemble, written."""

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ensemble_kit.core.digests import digest_of
from ensemble_kit.core.errors import RunError
from ensemble_kit.core.places import check_output_folder
from ensemble_kit.posthoc.conformal.cross import CrossSets
from ensemble_kit.posthoc.crossfit import Members
from ensemble_kit.posthoc.selection.catalogue import step_to_json
from ensemble_kit.posthoc.selection.explaining import Bin
from ensemble_kit.posthoc.selection.fitted import Combination
from ensemble_kit.posthoc.selection.fitting import FittedChain
from ensemble_kit.runs.ensembles import (
    BoardLine,
    CalibrationRecord,
    CandidateMethod,
    ConformalRecord,
    CoverageLine,
    EnsembleRecord,
    FewGroups,
    Matrix,
    MemberRecord,
    OptimismLine,
    ReliabilityBin,
    ReliabilityRecord,
    SetLine,
    SetsFit,
    write_sets,
)
from ensemble_kit.runs.evaluation import write_evaluation
from ensemble_kit.runs.folder import write_study
from ensemble_kit.runs.manifest import (
    Manifest,
    environment,
    is_run,
    read_manifest,
    record_files,
    write_manifest,
)
from ensemble_kit.runs.own_files import check_replaceable
from ensemble_kit.runs.replacing import refuse_trained, whole_folder
from ensemble_kit.runs.tables import write_folds, write_oof
from ensemble_kit.workflows.ensembling import (
    CROSSFITTED,
    IN_SAMPLE,
    EnsembleStudy,
    decision_sentence,
)

PROMISE = (
    "approximate: thresholds come from cross-validated scores (without the + of Barber et al. "
    "2021), aimed at a random image of a random group; no finite-sample guarantee"
)
CROSS_PROMISE = (
    "cross-conformal p-values pooled over the folds, for a random image of a random group: "
    "coverage of at least 1 - 2 (1 - level), less a small-sample term, were no model fitted with "
    "an image of its fold (Vovk 2015, Barber et al. 2021); here the networks behind the members "
    "and the weights of candidates have met them, so it is approximate"
)
APPLIES_TO = "single fold models of the members; their results are averaged after"


def check_free(runs_dir: Path, work_digest: str, name: str, overwrite: bool) -> None:
    """RunError where the name belongs to a run of something else (unless overwriting)."""
    folder = runs_dir / name
    check_output_folder(folder, "--runs-dir")
    check_replaceable(folder)
    if overwrite:
        refuse_trained(folder, "ensemble")
    if overwrite or not is_run(folder):
        return
    there = read_manifest(folder)
    if there.kind != "ensemble" or there.spec_digest != work_digest:
        raise RunError(
            f"run {name!r} is there already, made from other members or options: choose another "
            "--name, or --overwrite it"
        )


def ensemble_digest(members: Members, *options: object) -> str:
    """What an ensemble run depends on besides the data and folds."""
    return digest_of(members.names, members.probabilities, *options)


def write_ensemble(
    runs_dir: Path, work: EnsembleStudy, digest: str, overwrite: bool = False
) -> Path:
    """Write the run folder, whole or not at all; one that is there is replaced, if
    :func:`check_free` still lets it."""
    gathered, folder = work.gathered, runs_dir / work.study.name
    manifest = Manifest(
        kind="ensemble",
        name=work.study.name,
        spec_digest=digest,
        data_digest=gathered.table.digest,
        folds_digest=gathered.folds.digest,
        class_names=gathered.table.class_names,
        seed=work.seed,
        data_root=gathered.table.root,
        notes=(*gathered.notes, *filter(None, [decision_sentence(work.decided)])),
        warnings=gathered.warnings,
        facts={"members": dict(zip(gathered.members.names, gathered.origins, strict=True))},
        **environment(),
    )
    check = partial(check_free, runs_dir, digest, work.study.name, overwrite)
    with whole_folder(folder, check) as fresh:
        write_manifest(fresh, manifest)
        names = [
            *write_folds(fresh, gathered.table, [gathered.folds]),
            write_oof(fresh, work.predictions),
            write_study(fresh, work.study),
            ensemble_record(work).write(fresh),
            _calibration_record(work).write(fresh),
            _conformal_record(work).write(fresh),
            write_sets(fresh, work.gathered.table.class_names, _set_lines(work)),
            *write_evaluation(fresh, work.evaluation),
        ]
        finished = Manifest(kind="ensemble", name=work.study.name).created
        record_files(fresh, names, status="complete", finished=finished)
    return folder


def ensemble_record(work: EnsembleStudy) -> EnsembleRecord:
    """The contents of ``ensemble.json``: what was chosen and why, members, optimism, the chain."""
    final = work.outcome.final
    lines = {line.name: line for line in work.board}
    inside, outside = lines[IN_SAMPLE], lines[CROSSFITTED]
    members = tuple(
        MemberRecord(
            name=name, origin=origin, weight=weight, figures=line.figures,
            minus_ensemble=line.minus_first, without=without,
        )
        for name, origin, weight, line, without in zip(
            work.gathered.members.names, work.gathered.origins, work.weights, work.board[3:],
            work.without, strict=True,
        )
    )  # fmt: skip
    return EnsembleRecord(
        method=final.choice.name,
        calibrator=_calibrators_of(final.chain),
        description=final.choice.reason,
        objective=work.spec.objective,
        class_names=work.gathered.table.class_names,
        members=members,
        candidates=tuple(
            CandidateMethod(
                candidate=str(j.candidate), weight=j.weight, loss=j.loss, behind=j.behind,
                error=j.error, parameters=j.parameters,
            )
            for j in final.choice.judged
        ),
        chosen_by_fold={str(k): s.choice.name for k, s in work.outcome.by_fold.items()},
        weights_by_fold={
            str(k): {str(j.candidate): j.weight for j in s.choice.judged}
            for k, s in work.outcome.by_fold.items()
        },
        applies_to=APPLIES_TO,
        board=tuple(
            BoardLine(name=line.name, figures=line.figures, minus_ensemble=line.minus_first)
            for line in work.board
        ),
        optimism=tuple(
            OptimismLine(
                metric=metric,
                in_sample=inside.figures[metric],
                cross_fitted=outside.figures[metric],
                difference=inside.minus_first[metric],
            )
            for metric in outside.figures
        ),
        error_correlation=_matrix(work.diversity.error_correlation),
        double_fault=_matrix(work.diversity.double_fault),
        decision=final.decision.to_json(),
        decided=dict(work.decided),
        final=final.chain.to_json(),
        by_fold={str(k): step.chain.to_json() for k, step in work.outcome.by_fold.items()},
    )  # fmt: skip


def _calibration_record(work: EnsembleStudy) -> CalibrationRecord:
    """Calibrators by candidate, of all rows and of each fold."""
    chain = work.chain
    return CalibrationRecord(
        method=_calibrators_of(chain),
        final=_calibrators(chain),
        prior_shift=None if chain.shift is None else step_to_json(chain.shift),
        by_fold={str(k): _calibrators(s.chain) for k, s in work.outcome.by_fold.items()},
        before=_reliability(work.before),
        after=_reliability(work.after),
    )


def _calibrators_of(chain: Combination) -> str:
    used = sorted({part.candidate.calibrator for part in chain.chains})
    return used[0] if len(used) == 1 else f"{', '.join(used)} (by candidate)"


def _calibrators(chain: Combination) -> dict[str, Any]:
    return {str(part.candidate): step_to_json(part.calibrator) for part in chain.chains}


def _conformal_record(work: EnsembleStudy) -> ConformalRecord:
    final = work.outcome.final.sets
    names = work.gathered.table.class_names
    few = tuple(
        FewGroups(class_name=name, n_groups=int(n), groups_needed=final.needed)
        for name, n, there in zip(
            names, work.outcome.fewest_groups(), work.outcome.has_thresholds(), strict=True
        )
        if not there
    )
    sizes = np.bincount(work.outcome.sets.sum(axis=1), minlength=len(names) + 1)
    return ConformalRecord(
        method=f"{final.spec.score}, {'by class' if final.spec.by_class else 'marginal'}"
        + (", cross-conformal" if isinstance(final, CrossSets) else ""),
        level=final.spec.level,
        final=_sets_fit(work.outcome.final),
        by_fold={str(k): _sets_fit(s, scores=False) for k, s in work.outcome.by_fold.items()},
        without_guarantee=few,
        promise=CROSS_PROMISE if isinstance(final, CrossSets) else PROMISE,
        coverage=tuple(CoverageLine(**asdict(line)) for line in work.coverage),
        sizes=tuple((size, int(n)) for size, n in enumerate(sizes) if n),
    )


def _sets_fit(fitted: FittedChain, *, scores: bool = True) -> SetsFit:
    """scores : cross-conformal sets with their rows, which new images are compared with."""
    values = fitted.sets.to_json()
    if isinstance(fitted.sets, CrossSets):
        pairs = zip(values["folds"], fitted.inner, strict=True)
        values["folds"] = [{**f, "chain": c.to_json()} for f, c in pairs] if scores else []
    return SetsFit(**values)


def _set_lines(work: EnsembleStudy) -> list[SetLine]:
    """Decision and set of each image, the likeliest class first."""
    names = np.array(work.gathered.table.class_names)
    order = np.argsort(-work.outcome.probabilities, axis=1, kind="stable")
    return [
        SetLine(str(image), str(names[decision]), tuple(str(names[c]) for c in rank if inside[c]))
        for image, decision, inside, rank in zip(
            work.gathered.table.image_ids, work.outcome.decisions, work.outcome.sets, order,
            strict=True,
        )
    ]  # fmt: skip


def _matrix(values: np.ndarray) -> Matrix:
    return tuple(tuple(float(v) if np.isfinite(v) else None for v in row) for row in values)


def _reliability(bins: tuple[Bin, ...]) -> ReliabilityRecord:
    n = sum(b.n for b in bins)
    ece = sum(b.n * abs(b.accuracy - b.confidence) for b in bins) / n
    return ReliabilityRecord(ece=ece, bins=tuple(ReliabilityBin(**asdict(b)) for b in bins))
