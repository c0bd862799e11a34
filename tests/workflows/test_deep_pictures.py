"""Grey pictures of 10 to 16 bits: new ones are read as those of the training were."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from ensemble_kit.core.errors import DataError
from ensemble_kit.runs.folder import read_run
from ensemble_kit.runs.tables import read_oof
from ensemble_kit.workflows.predict import predict, predict_to_file
from tests.workflows.conftest import give

pytest.importorskip("keras")
SETTINGS = [
    "--data", "pics", "--backbone", "compact", "--weights", "none", "--image-size", "48",
    "--folds", "2", "--head-epochs", "1", "--fine-tune-epochs", "1", "--views", "1",
    "--set", "training.store_dtype=float32", "-q",
]  # fmt: skip


def grey(path: Path, k: int, largest: int) -> None:
    """48 × 48 pixels, brighter in the middle where k is odd."""
    values = np.random.default_rng(k).integers(0, largest // 3, (48, 48))
    values[10:30, 10:30] += largest // 2 * (k % 2)
    values[0, 0] = largest
    Image.fromarray(values.astype(np.uint16)).save(path)


@pytest.fixture(scope="module")
def twelve(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run ``r`` of 12-bit pictures."""
    place = tmp_path_factory.mktemp("twelve")
    (place / "pics/images").mkdir(parents=True)
    for k in range(16):
        grey(place / f"pics/images/i{k}.png", k, 4095)
    rows = [f"i{k},{'ab'[k % 2]},P{k // 2}" for k in range(16)]
    (place / "pics/metadata.csv").write_text("\n".join(["image_id,dx,patient_id", *rows]))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        give("cv", *SETTINGS, "--run", "r")
    return place


def test_new_pictures_are_scaled_as_those_of_the_training(twelve: Path) -> None:
    run = read_run(twelve / "runs/r")
    assert run.manifest.pixel_bits == 12
    found = predict(run.folder, twelve / "pics/images", fold=0)
    held = pd.read_csv(run.folder / "folds.csv").query("fold == 0")["image"].tolist()
    places = [found.image_ids.tolist().index(name) for name in held]
    expected = read_oof(run.folder).in_order_of(np.array(held)).probabilities
    np.testing.assert_allclose(found.probabilities[places], expected, atol=1e-6)
    assert not [note for note in found.notes if "16-bit" in note]


def test_a_picture_of_more_bits_is_refused(twelve: Path, tmp_path: Path) -> None:
    grey(tmp_path / "x.png", 1, 60_000)
    with pytest.raises(DataError, match=r"x\.png: 16-bit grey that uses 16 bits, but .* use 12"):
        predict(twelve / "runs/r", tmp_path)


def test_the_exported_program_scales_them_too(twelve: Path, monkeypatch) -> None:
    monkeypatch.chdir(twelve)
    give("export", "r", "--format", "keras", "--to", "out")
    assert json.loads((twelve / "out/bundle.json").read_text())["input"]["bits"] == 12
    files = [f"pics/images/i{k}.png" for k in (0, 1)]
    done = subprocess.run(
        [sys.executable, "out/predict.py", *files], text=True, check=True, capture_output=True,
        timeout=300,
    )  # fmt: skip
    found = [json.loads(line)["probabilities"] for line in done.stdout.splitlines()]
    expected = predict(Path("runs/r"), files)
    for row, given in zip(expected.probabilities, found, strict=True):
        assert [given["a"], given["b"]] == pytest.approx(row.tolist(), abs=1e-4)
    grey(twelve / "x.png", 1, 60_000)
    done = subprocess.run(
        [sys.executable, "out/predict.py", "x.png"], text=True, check=False, capture_output=True,
        timeout=300,
    )  # fmt: skip
    assert done.returncode == 2
    assert "grey of 16 bits, but the model was trained on 12" in done.stderr


def test_a_run_without_such_pictures_takes_the_bits_that_each_uses(
    shop: Path, tmp_path: Path
) -> None:
    for name, times in (("eight", 1), ("ten", 4), ("twelve", 16)):
        (tmp_path / name).mkdir()
        values = np.random.default_rng(3).integers(0, 256, (64, 64))
        values[0, 0] = 255
        kind = np.uint8 if times == 1 else np.uint16
        Image.fromarray((values * times).astype(kind)).save(tmp_path / name / "x.png")
    assert read_run(shop / "runs/tail").manifest.pixel_bits == 0
    plain = predict(shop / "runs/tail", tmp_path / "eight")
    for name in ("ten", "twelve"):
        found = predict(shop / "runs/tail", tmp_path / name)
        np.testing.assert_array_equal(found.probabilities, plain.probabilities)
        assert any("scaled by the bits that each of them uses" in note for note in found.notes)
    done = predict_to_file(shop / "runs/tail", tmp_path / "ten", tmp_path / "p.csv")
    assert any("scaled by the bits" in note for note in done.notes)
    assert not any("scaled by the bits" in note for note in plain.notes)
