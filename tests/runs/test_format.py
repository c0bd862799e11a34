"""The run folder: what is written is read back, what is damaged or unknown is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble_kit.core.errors import RunError
from ensemble_kit.core.records import Folds, ImageTable, Predictions
from ensemble_kit.runs.folder import read_run
from ensemble_kit.runs.manifest import Manifest, read_manifest, record_files, write_manifest
from ensemble_kit.runs.paths import FOLDS, IMAGES, OOF
from ensemble_kit.runs.tables import read_folds, write_folds, write_oof

NAMES = ("mel", "nv,x", 'q"uote')


def table_of(n: int = 24, seed: int = 0) -> ImageTable:
    random = np.random.default_rng(seed)
    groups = np.array([f"g{k // 2}" for k in range(n)])
    return ImageTable(
        image_ids=np.array([f"im,{k:03d}" for k in range(n)]),
        groups=groups,
        labels=np.repeat(random.integers(0, 3, n // 2), 2).astype(np.int64),
        class_names=NAMES,
        lesions=groups,
        patients=np.full(n, ""),
        paths=np.array([f"a/{k}.jpg" for k in range(n)]),
        slices={"sex": np.array(["f", ""] * (n // 2))},
    )


def write(folder: Path, **manifest: object) -> tuple[ImageTable, list[Folds], Predictions]:
    """A finished run of two draws of folds."""
    table = table_of()
    codes = np.unique(table.groups, return_inverse=True)[1]
    draws = [Folds(table.image_ids, table.groups, (codes + r) % 3, 3) for r in (0, 1)]
    p = np.random.default_rng(1).dirichlet(np.ones(3), len(table))
    predictions = Predictions(table.image_ids, NAMES, p)
    write_manifest(folder, Manifest(kind="cv", name="r", class_names=NAMES))
    write_folds(folder, table, draws)
    write_oof(folder, predictions)
    record_files(folder, [FOLDS, IMAGES, OOF], **({"status": "complete"} | manifest))
    return table, draws, predictions


def test_images_folds_and_predictions_come_back(tmp_path: Path) -> None:
    table, draws, predictions = write(tmp_path)
    run = read_run(tmp_path)
    assert run.table.image_ids.tolist() == table.image_ids.tolist()
    assert run.table.labels.tolist() == table.labels.tolist()
    assert run.table.class_names == NAMES
    assert run.table.slices["sex"].tolist() == table.slices["sex"].tolist()
    assert run.table.digest == table.digest
    again = read_folds(tmp_path, NAMES)[1]
    assert [d.fold.tolist() for d in again] == [d.fold.tolist() for d in draws]
    assert run.predictions.probabilities == pytest.approx(predictions.probabilities, abs=1e-9)


@pytest.mark.parametrize("name", [FOLDS, IMAGES, OOF])
def test_a_changed_or_missing_file_is_named(name: str, tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / name).write_text((tmp_path / name).read_text() + "\n")
    with pytest.raises(RunError, match=f"{name}.*sha256"):
        read_run(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(RunError, match=f"{name} is missing"):
        read_run(tmp_path)


def test_an_unfinished_run_is_not_read(tmp_path: Path) -> None:
    write(tmp_path, status="running")
    with pytest.raises(RunError, match="not finished"):
        read_run(tmp_path)


@pytest.mark.parametrize(
    ("change", "word"),
    [({"format_version": 99}, "format version 99"), ({"kind": "magic"}, "kind"),
     ({"surprise": 1}, "surprise"), ({"files": ["x"]}, "files")],
)  # fmt: skip
def test_a_manifest_of_another_form_is_refused(change, word: str, tmp_path: Path) -> None:
    write(tmp_path)
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(RunError, match=word):
        read_manifest(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_what_is_no_manifest_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(RunError, match=r"manifest\.json"):
        read_manifest(tmp_path)
    with pytest.raises(RunError, match="not a run folder"):
        read_manifest(tmp_path / "none")


@settings(max_examples=40, deadline=None)
@given(
    warnings=st.lists(st.text(max_size=60), max_size=3),
    facts=st.dictionaries(
        st.text(max_size=9),
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20)
        | st.floats(allow_nan=False, allow_infinity=False),
        max_size=4,
    ),
)  # fmt: skip
def test_any_manifest_is_read_as_it_was_written(tmp_path_factory, warnings, facts) -> None:
    folder = tmp_path_factory.mktemp("run")
    manifest = Manifest(kind="ensemble", name="e", warnings=tuple(warnings), facts=facts)
    write_manifest(folder, manifest)
    assert read_manifest(folder) == manifest
