"""The built-in sample: the same for everyone, imbalanced, learnable and not trivial."""

import json
import time
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ensemble_kit.core.errors import DataError, OutputError
from ensemble_kit.core.records import Floats, ImageTable
from ensemble_kit.data import sample
from ensemble_kit.data.dataset import load_table
from ensemble_kit.data.sample import draw_sample
from ensemble_kit.data.sample.art import draw
from ensemble_kit.data.sample.cast import cast
from ensemble_kit.splits import make_folds
from ensemble_kit.stores.pixels import fill_pixels


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sample")


@pytest.fixture(scope="module")
def table(place: Path) -> ImageTable:
    return load_table("sample", sample_dir=place)


def test_it_has_what_the_program_is_about(table: ImageTable) -> None:
    assert len(table) >= 280
    assert table.class_names == ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
    counts = table.class_counts()
    assert counts.max() >= 4 * counts.min()
    _, images = np.unique(table.lesions, return_counts=True)
    assert (images > 1).mean() > 0.4
    patients = {patient: set() for patient in table.patients.tolist()}  # type: ignore[var-annotated]
    for patient, lesion in zip(table.patients.tolist(), table.lesions.tolist(), strict=True):
        patients[patient].add(lesion)
    assert sum(len(found) > 1 for found in patients.values()) > 20
    assert table.n_groups == len(patients)
    for c in range(7):
        assert len(np.unique(table.groups[table.labels == c])) >= 10
    assert {"age", "sex", "site", "dx_type"} <= set(table.slices)
    assert all(
        0 < (table.slices[name] == "").sum() < 0.2 * len(table) for name in ("age", "sex", "site")
    )


def test_drawing_is_repeatable() -> None:
    views = cast()
    assert views == cast()
    for number in (0, 100, 300):
        first = draw(views[number].lesion, np.random.default_rng(number))
        assert (first == draw(views[number].lesion, np.random.default_rng(number))).all()
        other = draw(views[number].lesion, np.random.default_rng(number + 1))
        assert (first != other).any()


def test_the_pictures_have_not_changed() -> None:
    """Mean colours, which a last-bit difference between machines leaves alone."""
    views = cast()
    means = [
        draw(views[n].lesion, np.random.default_rng(n)).mean(axis=(0, 1)) for n in (0, 50, 200)
    ]
    golden = [[207.03, 177.02, 157.01], [195.37, 150.34, 128.86], [196.71, 144.89, 112.59]]
    assert np.abs(np.array(means) - golden).max() < 0.05


def test_it_is_drawn_once(table: ImageTable, place: Path) -> None:
    files = {path: path.stat().st_mtime_ns for path in Path(table.root).rglob("*")}
    begun = time.perf_counter()
    assert draw_sample(place) == Path(table.root)
    assert time.perf_counter() - begun < 0.5
    assert files == {path: path.stat().st_mtime_ns for path in Path(table.root).rglob("*")}


def test_a_damaged_sample_is_drawn_again_and_a_foreign_folder_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample, "cast", lambda: cast()[:6])
    folder = draw_sample(tmp_path / "a")
    picture = next((folder / "images").iterdir())
    content = picture.read_bytes()
    picture.unlink()
    draw_sample(tmp_path / "a")
    assert picture.read_bytes() == content
    assert json.loads((folder / "sample.json").read_text())["n_images"] == 6
    assert not list((tmp_path / "a").glob(".drawing-*"))
    foreign = tmp_path / "b" / folder.name
    foreign.mkdir(parents=True)
    (foreign / "thesis.txt").write_text("mine")
    with pytest.raises(DataError, match="is in the way"):
        draw_sample(tmp_path / "b")
    assert (foreign / "thesis.txt").read_text() == "mine"


def test_an_interrupted_drawing_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: object) -> Floats:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sample, "draw", fail)
    with pytest.raises(OutputError, match="disk is full"):
        draw_sample(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def _statistics(pixels: Floats) -> Floats:
    """(n, f) colour means, spreads and quantiles in four rings."""
    y, x = np.mgrid[: pixels.shape[1], : pixels.shape[2]] / pixels.shape[1] - 0.5
    radius = np.hypot(y, x) * 2
    parts = []
    for low, high in ((0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 2)):
        ring = pixels[:, (radius >= low) & (radius < high)]
        parts += [ring.mean(axis=1), ring.std(axis=1)]
    parts.append(np.abs(np.diff(pixels, axis=1)).mean(axis=(1, 2)))
    return np.concatenate(parts, axis=1)


def test_a_linear_model_learns_it_but_not_wholly(table: ImageTable, place: Path) -> None:
    store = fill_pixels(table, 56, "crop", place / "store", jobs=2)
    features = _statistics(store.array.astype(np.float64))
    folds = make_folds(table, 5)[0]
    scores = np.zeros((len(table), 7))
    for k in range(5):
        held = folds.held_out(k)
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.3, max_iter=2000))
        scores[held] = model.fit(features[~held], table.labels[~held]).predict_proba(features[held])
    auc = roc_auc_score(table.labels, scores, multi_class="ovr")
    assert 0.83 < auc < 0.96
