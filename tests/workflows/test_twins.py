"""Near-duplicates of a run with image files: compared point by point, then laid on each other."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ensemble_kit.core.records import Folds, ImageTable, Predictions
from ensemble_kit.posthoc.registration import available
from ensemble_kit.runs.features import write_features
from ensemble_kit.runs.folder import read_run, write_study
from ensemble_kit.runs.folds import write_fold_predictions
from ensemble_kit.runs.manifest import Manifest, record_files, write_manifest
from ensemble_kit.runs.paths import FEATURES, FOLDS, IMAGES, OOF, STUDY, fold_folder
from ensemble_kit.runs.tables import write_folds, write_oof
from ensemble_kit.study import StudySpec
from ensemble_kit.workflows.twins import find_twins
from tests.posthoc.test_registration import texture, window

pytestmark = pytest.mark.skipif(not available(), reason="OpenCV is not installed")
N = 12


def made(place: Path) -> Path:
    """A run of 12 pictures in 12 groups: image 7 is image 2 moved, turned and recoloured; images 4
    and 9 are strangers under one ruler, and alone have like features."""
    pictures = [window(texture(k), 10, 20) for k in range(N)]
    pictures[7] = (window(texture(2), 50, 45, turn=6) * 0.7 + 40).astype(np.uint8)
    marks = np.random.default_rng(5).choice([0, 255], (6, 32)).astype(np.uint8)
    for k in (4, 9):
        pictures[k] = pictures[k].copy()
        pictures[k][:60] = np.kron(marks, np.ones((10, 10), np.uint8))
    ids = np.array([f"im{k:02d}" for k in range(N)])
    for name, picture in zip(ids, pictures, strict=True):
        Image.fromarray(picture).convert("RGB").save(place / f"{name}.png")
    paths, empty = np.array([f"{name}.png" for name in ids]), np.full(N, "", np.str_)
    names, labels = ("a", "b"), np.arange(N) // 2 % 2
    table = ImageTable(ids, ids, labels, names, empty, empty, paths, {}, str(place))
    p = Predictions(ids, names, np.full((N, 2), 0.5))
    folder = place / "r"
    write_manifest(folder, Manifest(kind="cv", name="r", class_names=names, data_root=str(place)))
    write_folds(folder, table, [Folds(ids, ids, np.arange(N) % 2, 2)])
    write_oof(folder, p)
    write_study(folder, StudySpec().override({"model": {"unfreeze_depth": 0}}))
    x = np.random.default_rng(0).normal(size=(N, 16)).astype(np.float32)
    x[9] = x[4]
    for k in range(2):
        rows = np.arange(N)[np.arange(N) % 2 == k]
        held = Predictions(ids[rows], names, p.probabilities[rows])
        write_fold_predictions(fold_folder(folder, 0, k), held)
        write_features(fold_folder(folder, 0, k) / FEATURES, x[rows])
    kept = [f"fold_{k}/{FEATURES}" for k in range(2)]
    record_files(folder, [FOLDS, IMAGES, OOF, STUDY, *kept], status="complete")
    return folder


def test_a_second_photo_comes_before_strangers_that_share_a_ruler(tmp_path: Path) -> None:
    pairs, said = find_twins(read_run(made(tmp_path)), tmp_path / "no", 5, lambda *_, **__: None)
    assert (pairs[0].first, pairs[0].second) == ("im02", "im07")
    assert pairs[0].detail > 0.8
    (ruler,) = [p for p in pairs if (p.first, p.second) == ("im04", "im09")]
    assert ruler.points >= 50
    assert ruler.detail < 0.5
    assert "then laid on each other" in said


def test_without_the_files_pairs_come_by_features_and_it_is_said(tmp_path: Path) -> None:
    run = read_run(made(tmp_path))
    (tmp_path / "im03.png").unlink()
    pairs, said = find_twins(run, tmp_path / "no", 5, lambda *_, **__: None)
    assert (pairs[0].first, pairs[0].second) == ("im04", "im09")
    assert [pair.points for pair in pairs] == [0] * 5
    assert "not compared point by point, for want of a file" in said
    assert "im03.png" in said


def test_a_pair_whose_groups_better_pairs_have_joined_is_left_out(tmp_path: Path) -> None:
    folder = made(tmp_path)
    third = (window(texture(2), 30, 60, turn=-5) * 0.8 + 20).astype(np.uint8)
    Image.fromarray(third).convert("RGB").save(tmp_path / "im05.png")  # like 2 and 7
    pairs, _ = find_twins(read_run(folder), tmp_path / "no", 9, lambda *_, **__: None)
    of_three = [p for p in pairs if {p.first, p.second} <= {"im02", "im05", "im07"}]
    assert len(of_three) == 2
    assert all(p.detail > 0.7 for p in of_three)
