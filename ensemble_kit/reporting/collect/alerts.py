"""What a reader must know before the numbers."""

from collections.abc import Sequence

import numpy as np

from ensemble_kit.core.errors import count, some
from ensemble_kit.core.numbers import number_text
from ensemble_kit.core.program import program
from ensemble_kit.data.groups import NO_GROUPS
from ensemble_kit.reporting.collect.data import crossing_groups
from ensemble_kit.reporting.collect.source import ReportedRun
from ensemble_kit.reporting.view.base import Alert

FEW_GROUPS = 30
LARGE_ECE = 0.03
OPTIMISTIC = "Optimistic figures"


def build_alerts(source: ReportedRun, external: ReportedRun | None = None) -> tuple[Alert, ...]:
    """Leaks first, then what makes figures unsure, then notes."""
    run = source.run
    recorded = [
        Alert(
            severity="warning",
            title=OPTIMISTIC if "optimistic" in text else "Recorded with the run",
            text=text,
            section="provenance",
        )
        for text in run.manifest.warnings
    ]
    made = [
        *_leaks(source), *_not_external(source, external), *_tuned(source), *recorded,
        *_few_groups(source), *_no_skill(source), *_miscalibrated(source), *_device(source),
        *_groups(source), *_validated(source, external),
    ]  # fmt: skip
    order = {"danger": 0, "warning": 1, "note": 2}
    return tuple(sorted(made, key=lambda alert: order[alert.severity]))


def changed_files(runs: Sequence[ReportedRun]) -> list[Alert]:
    """The first thing to know: files that are read although the run did not write them so."""
    return [
        Alert(
            severity="danger",
            title="Files were changed after the run",
            text=f"{some(source.run.changed)} of run {source.run.name} "
            f"{'is' if len(source.run.changed) == 1 else 'are'} not as the run wrote "
            f"{'it' if len(source.run.changed) == 1 else 'them'}; the page was made all the same, "
            "by --trust-changed-files. Nothing below vouches for its figures.",
            section="provenance",
        )
        for source in runs
        if source.run.changed
    ]


def _leaks(source: ReportedRun) -> list[Alert]:
    if source.run.manifest.kind == "external":
        internal = source.run.manifest.facts["internal"]
        return [
            Alert(
                severity="note",
                title=f"Figures of run {internal} on data of another source",
                text="All fold models together predicted these images. Beside its own figures, "
                f"with the shift of each: {program()} report {internal} --external "
                f"{source.run.name}.",
                section="performance",
            )
        ]
    if source.run.folds.n_folds < 2:
        return [
            Alert(
                severity="warning",
                title="No folds are known",
                text="Whether the model was trained on images of these groups cannot be checked. "
                "Give the folds with --folds-file.",
                section="provenance",
            )
        ]
    crossing = crossing_groups(source)
    if not crossing:
        return []
    return [
        Alert(
            severity="danger",
            title="Groups leak between folds",
            text=f"{count(crossing, 'group')} of {source.run.table.n_groups:,} have images in more "
            "than one fold. Every figure below is too good. Draw the folds by group and train "
            "again.",
            section="provenance",
        )
    ]


def _not_external(source: ReportedRun, external: ReportedRun | None) -> list[Alert]:
    if external is None:
        return []
    shared = np.isin(external.run.table.image_ids, source.run.table.image_ids)
    if not shared.any():
        return []
    return [
        Alert(
            severity="danger",
            title="The external set is not external",
            text=f"{count(int(shared.sum()), 'image')} of {external.run.name} are in this run too. "
            "Its figures say nothing of other data, and the intervals of the shifts are wrong.",
            section="comparison",
        )
    ]


def _validated(source: ReportedRun, external: ReportedRun | None) -> list[Alert]:
    """Says at the top that the page holds a validation, and what it is beside."""
    if external is None:
        return []
    metric = "roc_auc_ovr"
    pair = [run.rows.number(metric, "").value for run in (external, source)]
    told = ""
    if pair[0] is not None and pair[1] is not None:
        told = f" Macro AUC is {number_text(pair[0])} there and {number_text(pair[1])} here."
    table = external.run.table
    return [
        Alert(
            severity="note",
            title="Judged on other data too",
            text=f"{external.run.name}: {count(len(table), 'image')} in "
            f"{count(table.n_groups, 'group')}.{told} All sections but Comparison are of this run "
            "itself.",
            section="comparison",
        )
    ]


def _tuned(source: ReportedRun) -> list[Alert]:
    tuned_on = source.study.tuned_on
    if not tuned_on or tuned_on not in (source.run.manifest.data_digest, source.run.table.digest):
        return []
    return [
        Alert(
            severity="warning",
            title="Judged on the data that tuned it",
            text="The settings of this study were chosen by their scores on these very images, so "
            "the figures flatter. `tune --nested` measures by how much.",
            section="training",
        )
    ]


def _few_groups(source: ReportedRun) -> list[Alert]:
    rare = [
        f"{name} ({n})"
        for name in source.class_names
        if (n := source.cases.groups_with[name][0]) < FEW_GROUPS
    ]
    if not rare:
        return []
    return [
        Alert(
            severity="warning",
            title="Tiny classes",
            text=f"Fewer than {FEW_GROUPS} groups of {some(rare)}: their figures, and every mean "
            "over classes, rest on little.",
            section="performance",
        )
    ]


def _no_skill(source: ReportedRun) -> list[Alert]:
    accuracy = source.rows.number("accuracy")
    counts = source.run.table.class_counts()
    largest = int(counts.argmax())
    share = float(counts[largest]) / max(len(source.run.table), 1)
    bound = accuracy.low if accuracy.low is not None else accuracy.value
    if bound is None or bound > share:
        return []
    return [
        Alert(
            severity="warning",
            title="Accuracy no better than the commonest class",
            text=f"Always answering {source.class_names[largest]} would be right for "
            f"{100 * share:.1f} % of these images. Judge the model by balanced accuracy and AUC.",
            section="performance",
        )
    ]


def _miscalibrated(source: ReportedRun) -> list[Alert]:
    error = source.rows.number("ece")
    if error.value is None or (error.low if error.low is not None else error.value) < LARGE_ECE:
        return []
    return [
        Alert(
            severity="warning",
            title="Miscalibrated",
            text="Stated confidence and observed accuracy differ by "
            f"{number_text(100 * error.value, 1)} percentage points on average. Calibrate "
            "before using the probabilities: "
            f"`{program()} ensemble {source.run.name}`.",
            section="calibration",
        )
    ]


def _device(source: ReportedRun) -> list[Alert]:
    device = source.run.manifest.device
    said = {value.lower() for key, value in device.items() if "deterministic" in key}
    if "false" not in said and (said or "gpu" not in str(device).lower()):
        return []
    return [
        Alert(
            severity="note",
            title="Not repeatable to the bit",
            text="The device computes in no fixed order (on GPUs, gradients of depthwise "
            "convolutions): the same command gives slightly different models.",
            section="provenance",
        )
    ]


def _groups(source: ReportedRun) -> list[Alert]:
    table, manifest = source.run.table, source.run.manifest
    found = []
    if table.n_groups == len(table) and NO_GROUPS not in manifest.warnings:
        found.append(
            Alert(
                severity="note",
                title="Every image is its own group",
                text="No lesion or patient was named for more than one image, so intervals take "
                "images for independent. If several show one lesion, they are too narrow.",
                section="provenance",
            )
        )
    if manifest.git_dirty:
        found.append(
            Alert(
                severity="note",
                title="Code changed since its commit",
                text="The run was made from a working tree with uncommitted changes.",
                section="provenance",
            )
        )
    return found
