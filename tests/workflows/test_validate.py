"""A run abroad: figures beside its own, what shifts, and nothing from training let through."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from ensemble_kit.core.errors import DataError, RunError
from ensemble_kit.runs.folder import read_run
from ensemble_kit.workflows.predict import predict
from ensemble_kit.workflows.validate import validate
from tests.training.conftest import CLASSES
from tests.workflows.test_predict import mistaken

pytest.importorskip("keras")


def write_abroad(folder: Path, lesions: int = 10, seed: int = 11, dim: float = 0.7) -> Path:
    """Squares like the run's own under dimmer light, with names of their own."""
    rng = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    rows = ["image_id,lesion_id,dx,sex,age"]
    for lesion in range(lesions * 3):
        label = lesion % 3
        for photo in range(2):
            name = f"X{lesion:03d}_{photo}"
            pixels = rng.normal(110, 40, (48, 48, 3))
            pixels[12:36, 12:30, label] += 90
            picture = Image.fromarray(np.clip(dim * pixels, 0, 255).astype(np.uint8))
            picture.save(folder / "images" / f"{name}.png")
            rows.append(f"{name},A{lesion:03d},{CLASSES[label]},{'mf'[lesion % 2]},{40 + lesion}")
    (folder / "metadata.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


def run_abroad(place, **changes):
    options = {"name": "abroad", "replicates": 100} | changes
    return validate(place / "runs/tail", place / "far", place / "runs", **options)


def test_it_predicts_judges_and_reports(place, capsys):
    write_abroad(place / "far")
    from tests.workflows.conftest import give

    give("validate", "tail", "--data", "far", "--name", "abroad", "--replicates", "100", "-q")
    run = read_run(place / "runs/abroad")
    assert run.manifest.kind == "external"
    assert run.manifest.facts["internal"] == "tail"
    direct = predict(place / "runs/tail", place / "far")
    ours = run.predictions.in_order_of(direct.image_ids).probabilities
    assert np.abs(ours - direct.probabilities).max() < 1e-6
    found = json.loads((place / "runs/abroad/external.json").read_text())
    assert found["recalibration"][0]["name"] == "as shipped"
    assert found["drift"]["auc"] > 0.8
    assert found["drift"]["p_value"] <= 0.05
    shares = [row["estimated"] for row in found["prevalence"]]
    assert abs(sum(shares) - 1) < 1e-6
    assert all(abs(row["external"] - 1 / 3) < 1e-9 for row in found["prevalence"])
    page = (place / "reports/abroad.html").read_text()
    for words in ("Prediction sets abroad", "Drift of images and metadata", "as shipped",
                  "Judged on other data too", "figures are of single fold models"):  # fmt: skip
        assert words in page
    assert "prevalence-table" not in page
    give("report", "abroad", "--out", "alone.html", "-q")
    alone = (place / "alone.html").read_text()
    assert "report tail --external abroad" in alone
    for words in ("No folds are known", "spread of the folds", "Thin: the folds", "never saw its"):
        assert words not in alone
    internal = read_run(place / "runs/tail").table
    own = internal.class_counts() / len(internal)
    assert np.allclose([row["internal"] for row in found["prevalence"]], own)


def test_the_same_photographer_is_no_drift(place):
    write_abroad(place / "far", dim=1.0)
    done = run_abroad(place)
    assert 0.25 < done.external.drift.auc < 0.75
    assert done.external.drift.p_value > 0.01
    assert not done.external.overlap.found


def test_what_was_in_training_is_refused_with_its_name(place, capsys):
    far = write_abroad(place / "far", lesions=4)
    own = sorted((place / "data/images").iterdir())[0]

    def refused(*more):
        return mistaken(
            capsys, "validate", "tail", "--data", "far", "--replicates", "0", "-q", *more
        )

    table = far / "metadata.csv"
    kept = table.read_text()
    shutil.copy(own, far / "images/copy.png")
    table.write_text(kept + "copy,Z1,mel,m,50\n")
    assert f"the same file as copy (in the run: {own.stem})" in refused()
    Image.open(own).save(far / "images/copy.png", compress_level=1)
    said = refused()
    assert "near-duplicates copy (in the run:" in said
    assert own.stem in said
    table.write_text(kept + f"{own.stem},Z1,mel,m,50\n")
    (far / "images/copy.png").rename(far / f"images/{own.stem}.png")
    assert f"image id {own.stem} in both" in refused()
    table.write_text(kept.replace("A000", "L000"))
    assert "lesion L000 in both" in refused()
    assert not list((place / "runs").glob("tail-on*"))
    done = run_abroad(place, allow_overlap=True)
    assert any("optimistic" in text for text in done.warnings)


def test_other_class_names_are_mapped(place, tmp_path):
    far = write_abroad(place / "far")
    frame = pd.read_csv(far / "metadata.csv")
    frame["dx"] = frame["dx"].map({"akiec": "keratosis", "mel": "melanoma", "nv": "mole"})
    frame.loc[:1, "dx"] = "wart"
    frame.to_csv(far / "metadata.csv", index=False)
    with pytest.raises(DataError, match=r"'keratosis'.*none the model knows"):
        run_abroad(place)
    pairs = tmp_path / "map.csv"
    pairs.write_text("from,to\nkeratosis,akiec\nmelanoma,mel\nmole,nv\nwart,ignore\n")
    done = run_abroad(place, labels_map=pairs)
    assert len(done.table) == 58
    assert done.table.class_names == ("akiec", "mel", "nv")
    pairs.write_text("from,to\nkeratosis,cancer\nmelanoma,mel\nmole,nv\nwart,ignore\n")
    with pytest.raises(DataError, match=r"mapped to 'cancer'"):
        run_abroad(place, labels_map=pairs, overwrite=True)


def test_a_name_that_is_taken_is_refused(place):
    write_abroad(place / "far")
    before = sorted((place / "runs/head").rglob("*"))
    for overwrite in (False, True):
        with pytest.raises(RunError, match="there already, made by `cv`"):
            run_abroad(place, name="head", overwrite=overwrite)
    assert sorted((place / "runs/head").rglob("*")) == before


def test_images_of_a_container_are_validated_on(place):
    """The same pictures as files and as the entries of an HDF5 file give the same figures."""
    h5py = pytest.importorskip("h5py")
    files = write_abroad(place / "files")
    (place / "packed").mkdir()
    shutil.copy(files / "metadata.csv", place / "packed")
    with h5py.File(place / "packed/images.hdf5", "w") as file:
        for picture in sorted((files / "images").iterdir()):
            file.create_dataset(picture.stem, data=np.void(picture.read_bytes()))
    plain, packed = (
        validate(
            place / "runs/tail", place / name, place / "runs", name=name, replicates=0,
            allow_overlap=True,
        )
        for name in ("files", "packed")
    )  # fmt: skip
    np.testing.assert_array_equal(
        packed.predictions.in_order_of(plain.table.image_ids).probabilities,
        plain.predictions.probabilities,
    )
