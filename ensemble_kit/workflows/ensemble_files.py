"""The run folder of an ensemble, and the bundle read back for use on new images."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ensemble_kit.core.atomic import write_json, write_text
from ensemble_kit.core.errors import PredictionsError, RunError, some
from ensemble_kit.core.records import Estimate, Predictions, digest_of
from ensemble_kit.posthoc.conformal.sets import PredictionSets
from ensemble_kit.posthoc.crossfit import Members
from ensemble_kit.posthoc.selection.catalogue import step_to_json
from ensemble_kit.posthoc.selection.decision import Decision
from ensemble_kit.posthoc.selection.explaining import Bin
from ensemble_kit.posthoc.selection.fitted import Chain
from ensemble_kit.runs.evaluated import write_evaluation
from ensemble_kit.runs.folder import FOLDS, IMAGES, OOF, STUDY, write_folds, write_oof
from ensemble_kit.runs.manifest import (
    FILE_NAME,
    Manifest,
    environment,
    read_manifest,
    record_files,
    write_manifest,
)
from ensemble_kit.workflows.ensembling import CROSSFITTED, IN_SAMPLE, EnsembleStudy

FORMAT_VERSION = 1
ENSEMBLE, CALIBRATION, CONFORMAL, SETS = (
    "ensemble.json", "calibration.json", "conformal.json", "sets.csv",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Bundle:
    """An ensemble for new images: the chain, decision and sets fitted on all rows.

    members : names, in the order in which their probabilities go in.
    """

    members: tuple[str, ...]
    class_names: tuple[str, ...]
    chain: Chain
    decision: Decision
    sets: PredictionSets

    def apply(self, members: Members) -> Predictions:
        """Ensembled, calibrated probabilities of new images from the members' probabilities."""
        if members.class_names != self.class_names or members.names != self.members:
            raise PredictionsError(
                f"the ensemble was fitted for members {some(self.members)} and classes "
                f"{some(self.class_names)}, in this order; given were members "
                f"{some(members.names)} and classes {some(members.class_names)}"
            )
        p = self.chain.apply(members.probabilities)
        return Predictions(members.image_ids, self.class_names, p / p.sum(axis=1, keepdims=True))


def load_ensemble(folder: Path) -> Bundle:
    """Read ``ensemble.json`` and ``conformal.json`` of a run folder; RunError if they are not."""
    values, sets = (_read(folder / name) for name in (ENSEMBLE, CONFORMAL))
    try:
        return Bundle(
            tuple(member["name"] for member in values["members"]),
            tuple(values["class_names"]),
            Chain.from_json(values["final"]),
            Decision.from_json(values["decision"]),
            PredictionSets.from_json(sets["final"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{folder / ENSEMBLE}: damaged ({error!r}); make the run again") from None


def check_free(runs_dir: Path, work_digest: str, name: str, overwrite: bool) -> None:
    """RunError where the name belongs to a run of something else (unless overwriting)."""
    folder = runs_dir / name
    if overwrite or not folder.exists() or not any(folder.iterdir()):
        return
    if not (folder / FILE_NAME).is_file():
        raise RunError(f"{folder} is there and is no run: choose another --name")
    there = read_manifest(folder)
    if there.kind != "ensemble" or there.spec_digest != work_digest:
        raise RunError(
            f"run {name!r} is there already, made from other members or options: choose another "
            "--name, or --overwrite it"
        )


def ensemble_digest(members: Members, *options: object) -> str:
    """What an ensemble run depends on besides the data and folds."""
    return digest_of(members.names, members.probabilities, *options)


def write_ensemble(runs_dir: Path, work: EnsembleStudy, digest: str) -> Path:
    """Write the run folder; the manifest says "complete" only once every file is there."""
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
        notes=gathered.notes,
        warnings=gathered.warnings,
        facts={"members": dict(zip(gathered.members.names, gathered.origins, strict=True))},
        **environment(),
    )
    write_manifest(folder, manifest)
    write_folds(folder, gathered.table, [gathered.folds])
    write_oof(folder, work.predictions)
    write_text(folder / STUDY, work.study.to_toml())
    write_json(folder / ENSEMBLE, ensemble_json(work))
    write_json(folder / CALIBRATION, _calibration_json(work))
    write_json(folder / CONFORMAL, _conformal_json(work))
    write_text(folder / SETS, _sets_csv(work))
    numbers = write_evaluation(folder, work.evaluation)
    names = [FOLDS, IMAGES, OOF, STUDY, ENSEMBLE, CALIBRATION, CONFORMAL, SETS, *numbers]
    finished = Manifest(kind="ensemble", name=work.study.name).created
    record_files(folder, names, status="complete", finished=finished)
    return folder


def ensemble_json(work: EnsembleStudy) -> dict[str, Any]:
    """The contents of ``ensemble.json``: what was chosen and why, members, optimism, the chain."""
    final = work.outcome.final
    lines = {line.name: line for line in work.board}
    inside, outside = lines[IN_SAMPLE], lines[CROSSFITTED]
    members = [
        {
            "name": name,
            "origin": origin,
            "weight": weight,
            "figures": {m: asdict(e) for m, e in line.figures.items()},
            "minus_ensemble": {m: asdict(e) for m, e in line.minus_first.items()},
            "without": None if without is None else asdict(without),
        }
        for name, origin, weight, line, without in zip(
            work.gathered.members.names, work.gathered.origins, work.weights, work.board[3:],
            work.without, strict=True,
        )
    ]  # fmt: skip
    return {
        "format_version": FORMAT_VERSION,
        "method": final.choice.winner.method,
        "calibrator": final.choice.winner.calibrator,
        "description": final.choice.reason,
        "objective": work.spec.objective,
        "class_names": list(work.gathered.table.class_names),
        "members": members,
        "candidates": [asdict(j) | {"candidate": str(j.candidate)} for j in final.choice.judged],
        "chosen_by_fold": {
            str(k): str(step.choice.winner) for k, step in work.outcome.by_fold.items()
        },
        "board": [
            {"name": line.name, "figures": _figures(line.figures),
             "minus_ensemble": _figures(line.minus_first)}
            for line in work.board
        ],
        "optimism": [
            {
                "metric": metric,
                "in_sample": asdict(inside.figures[metric]),
                "cross_fitted": asdict(outside.figures[metric]),
                "difference": asdict(inside.minus_first[metric]),
            }
            for metric in outside.figures
        ],
        "error_correlation": _matrix(work.diversity.error_correlation),
        "double_fault": _matrix(work.diversity.double_fault),
        "decision": final.decision.to_json(),
        "final": final.chain.to_json(),
        "by_fold": {str(k): step.chain.to_json() for k, step in work.outcome.by_fold.items()},
    }  # fmt: skip


def _calibration_json(work: EnsembleStudy) -> dict[str, Any]:
    chain = work.chain
    return {
        "format_version": FORMAT_VERSION,
        "method": chain.candidate.calibrator,
        "final": step_to_json(chain.calibrator),
        "prior_shift": None if chain.shift is None else step_to_json(chain.shift),
        "by_fold": {
            str(k): step_to_json(step.chain.calibrator) for k, step in work.outcome.by_fold.items()
        },
        "before": _reliability(work.before),
        "after": _reliability(work.after),
    }


def _conformal_json(work: EnsembleStudy) -> dict[str, Any]:
    final = work.outcome.final.sets
    names = work.gathered.table.class_names
    few = [
        {"class": name, "n_groups": int(n), "groups_needed": final.needed}
        for name, n, enough in zip(names, final.n_groups, final.guaranteed, strict=True)
        if not enough
    ]
    sizes = np.bincount(work.outcome.sets.sum(axis=1), minlength=len(names) + 1)
    return {
        "format_version": FORMAT_VERSION,
        "method": f"{final.spec.score}, {'by class' if final.spec.by_class else 'marginal'}",
        "level": final.spec.level,
        "final": final.to_json(),
        "by_fold": {str(k): step.sets.to_json() for k, step in work.outcome.by_fold.items()},
        "without_guarantee": few,
        "coverage": [asdict(line) for line in work.coverage],
        "sizes": [[size, int(n)] for size, n in enumerate(sizes) if n],
    }


def _sets_csv(work: EnsembleStudy) -> str:
    """``image,decision,set``: classes of a set separated by blanks, likeliest first."""
    names = np.array(work.gathered.table.class_names)
    order = np.argsort(-work.outcome.probabilities, axis=1, kind="stable")
    lines = ["image,decision,set"]
    for image, decision, inside, rank in zip(
        work.gathered.table.image_ids, work.outcome.decisions, work.outcome.sets, order, strict=True
    ):
        kept = " ".join(names[c] for c in rank if inside[c])
        lines.append(f"{_cell(str(image))},{_cell(names[decision])},{_cell(kept)}")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\n') else text


def _figures(figures: dict[str, Estimate]) -> dict[str, Any]:
    return {metric: asdict(estimate) for metric, estimate in figures.items()}


def _matrix(values: np.ndarray) -> list[list[float | None]]:
    return [[float(v) if np.isfinite(v) else None for v in row] for row in values]


def _reliability(bins: tuple[Bin, ...]) -> dict[str, Any]:
    n = sum(b.n for b in bins)
    ece = sum(b.n * abs(b.accuracy - b.confidence) for b in bins) / n
    return {"ece": ece, "bins": [asdict(b) for b in bins]}


def _read(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(f"{path} is missing: {path.parent} is no ensemble run") from None
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: cannot be read ({error}); the run is damaged") from None
    version = values.get("format_version") if isinstance(values, dict) else None
    if version != FORMAT_VERSION:
        raise RunError(
            f"{path}: format version {version!r}, but this program reads {FORMAT_VERSION}"
        )
    return dict(values)
