"""How the run was made."""

import re

from ensemble_kit.reporting.collect.source import ReportedRun
from ensemble_kit.reporting.collect.training import flat
from ensemble_kit.reporting.view.base import Cell, Table
from ensemble_kit.reporting.view.provenance import Provenance
from ensemble_kit.runs.folder import study_text

OF_TABLES = {
    "model": ("inputs", "metadata", "metadata_anyway"),
    "training": ("class_weights", "logit_adjustment"),
}
"""Settings that have an effect where a run sees features or metadata in place of images."""
OF_NETWORK_HEADS = {
    "model": (*OF_TABLES["model"], "hidden_units", "dropout"),
    "training": (
        *OF_TABLES["training"], "head", "head_epochs", "head_lr", "batch_size", "weight_decay",
        "schedule", "warmup", "patience", "label_smoothing",
    ),
}  # fmt: skip


def build_provenance(source: ReportedRun) -> Provenance:
    """Without the checklist, which needs the rest of the view."""
    m = source.run.manifest
    return Provenance(
        kind=m.kind,
        created=m.created,
        finished=m.finished,
        seed=m.seed,
        spec_digest=m.spec_digest,
        git_commit=m.git_commit,
        git_dirty=m.git_dirty,
        versions=dict(m.versions),
        device=dict(m.device),
        notes=m.notes,
        facts=Table(columns=("what", "recorded"), rows=tuple(_facts(source).items())),
        study=_without_paths(_used(study_text(source.run.folder), m.kind)),
        files=dict(m.files),
    )


def _facts(source: ReportedRun) -> dict[str, Cell]:
    """The study's settings where the run trained by them, by ``section.name``."""
    if source.run.manifest.kind != "cv":
        return {}
    study = source.study.model_dump(mode="json", include={"model", "training", "split"})
    if source.study.model.inputs != "images":
        network = source.study.training.head == "network"
        for section, kept in OF_NETWORK_HEADS.items() if network else OF_TABLES.items():
            study[section] = {name: study[section][name] for name in kept}
    facts = flat(study)
    weights = str(facts.get("model.weights", ""))
    if weights:
        facts["model.weights"] = weights.replace("\\", "/").rsplit("/", 1)[-1]
    return facts


def _used(study: str, kind: str) -> str:
    """The sections that the run went by: all of training, else those of the figures alone."""
    if kind == "cv":
        return study
    parts = re.split(r"(?m)^(?=\[)", study)
    return "\n".join(part.strip() for part in parts if part.startswith("[evaluation"))


def _without_paths(study: str) -> str:
    """The study with paths cut to their last part: a page is for readers on other machines."""
    lines = []
    for line in study.splitlines():
        key, equals, value = line.partition(" = ")
        if equals and key in ("path", "features", "weights", "folds_file", "duplicates"):
            value = '"' + value.strip('"').replace("\\", "/").rstrip("/").rsplit("/", 1)[-1] + '"'
        lines.append(f"{key}{equals}{value}")
    return "\n".join(lines)
