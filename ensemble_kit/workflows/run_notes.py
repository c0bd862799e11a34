"""What a manifest says of how a run was trained: notes, and warnings to read before any figure."""

from ensemble_kit.core.errors import some
from ensemble_kit.core.records import ImageTable
from ensemble_kit.data.depth import depth_note
from ensemble_kit.runs.manifest import Manifest
from ensemble_kit.study import StudySpec

STOPPING_NOTES = {
    "inner": "The epoch was chosen on groups held out of each training part; the images a fold "
    "model is judged on had no say.",
    "validation": "The epoch of each fold model was chosen on the very images it is judged on: "
    "the figures are optimistic.",
    "none": "Every fold model trained a fixed number of epochs; no image chose when to stop.",
}


def notes_of_training(manifest: Manifest, spec: StudySpec) -> tuple[str, ...]:
    """How the epoch was chosen; and whether machines differed."""
    notes = [STOPPING_NOTES[spec.training.early_stopping]]
    kinds = {fold.get("processor") for fold in manifest.facts["folds"]} - {None}
    if len(kinds) > 1:
        notes.append(
            f"The folds were trained on processors of {len(kinds)} kinds ({some(sorted(kinds))}), "
            "whose arithmetic may differ in the last digits: the same command may not give the "
            "same bytes again."
        )
    return tuple(notes)


def warnings_of(manifest: Manifest, table: ImageTable, spec: StudySpec) -> tuple[str, ...]:
    """What a reader must know before any figure."""
    warnings = [str(line) for line in manifest.facts.get("reading", {}).get("warnings", ())]
    if manifest.pixel_bits not in (0, 16):
        warnings.append(depth_note(manifest.pixel_bits))
    for key in ("pixel_warnings", "metadata_warnings"):
        warnings += [str(line) for line in manifest.facts.get(key, ())]
    if spec.training.early_stopping == "validation" and spec.model.inputs == "images":
        warnings.append(STOPPING_NOTES["validation"])
    if spec.tuned_on == table.digest:
        warnings.append(
            "This study was tuned on the same data set: its figures are optimistic; "
            "`tune --nested` estimates by how much."
        )
    threads = {fold.get("threads") for fold in manifest.facts["folds"]}
    if len(threads) > 1:
        warnings.append(
            f"The folds were trained with different numbers of threads ({some(sorted(threads))}): "
            "the same command will not give the same bytes."
        )
    if manifest.device.get("training_deterministic") == "False":
        warnings.append("Trained on a device whose arithmetic is not repeatable to the bit.")
    return tuple(warnings)
