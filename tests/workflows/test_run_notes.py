"""What a manifest says of how its folds were trained."""

from ensemble_kit.runs.manifest import Manifest
from ensemble_kit.study import StudySpec
from ensemble_kit.workflows.run_notes import notes_of_training


def notes(*processors):
    folds = [{"fold": k, "processor": name} for k, name in enumerate(processors)]
    manifest = Manifest(kind="cv", name="run", facts={"folds": folds})
    return " ".join(notes_of_training(manifest, StudySpec()))


def test_processors_of_several_kinds_are_named():
    said = notes("Kind B", "Kind A", "Kind B", None)
    assert "processors of 2 kinds (Kind A, Kind B)" in said
    assert "same bytes" in said


def test_processors_of_one_kind_and_folds_trained_before_there_was_a_record_are_not():
    assert "processors" not in notes("Kind A", "Kind A", None)
    assert "processors" not in notes(None, None)
