"""Exported files give what the run gives, in every format whose packages are here."""

import json
import re
import subprocess
import sys
from importlib import util

import numpy as np
import pytest
import yaml

from ensemble_kit.core.atomic import sha256_of_file
from ensemble_kit.core.errors import RunError, StudyError
from ensemble_kit.models import export_formats
from ensemble_kit.models.export_formats import FORMATS, find_format
from ensemble_kit.workflows import export as exporting
from ensemble_kit.workflows.export import export
from ensemble_kit.workflows.predict import predict

keras = pytest.importorskip("keras")


def needs(name):
    missing = [m for m in FORMATS[name].modules if util.find_spec(m) is None]
    if missing:
        pytest.skip(f"{missing} not installed")


@pytest.mark.parametrize("name", list(FORMATS))
def test_the_file_gives_the_runs_probabilities(place, name):
    needs(name)
    done = export(place / "runs/tail", place / "out", name)
    assert done.largest <= 1e-4
    bundle = json.loads((place / "out/bundle.json").read_text())
    assert bundle["class_names"] == ["akiec", "mel", "nv"]
    assert bundle["input"]["size"] == 48
    assert bundle["verification"]["largest_difference"] == done.largest
    for file, digest in bundle["files"].items():
        assert sha256_of_file(place / "out" / file) == digest
    pixels = np.random.default_rng(5).integers(0, 256, (3, 48, 48, 3)).astype(np.uint8)
    found = FORMATS[name].open(place / "out" / bundle["file"])(pixels.astype(np.float32))
    assert np.abs(found - predict(place / "runs/tail", pixels).probabilities).max() < 1e-4
    assert not list(place.glob(".out*"))


def test_its_script_needs_the_runtime_alone_and_agrees(place):
    name = "onnx" if util.find_spec("onnxruntime") and util.find_spec("tf2onnx") else "keras"
    export(place / "runs/both", place / "out", name)
    files = sorted((place / "data/images").iterdir())[:3]
    script = place / "out/predict.py"
    assert "ensemble_kit" not in script.read_text()
    assert len(script.read_text().splitlines()) <= 45
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(script), *map(str, files)], cwd=place,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = [json.loads(line) for line in done.stdout.splitlines()]
    expected = predict(place / "runs/both", files)
    for row, line in enumerate(said):
        p = list(line["probabilities"].values())
        assert np.abs(np.array(p) - expected.probabilities[row]).max() < 1e-4
        assert line["decision"] == expected.class_names[expected.decisions[row]]
        assert set(line["set"]) == set(expected.set_texts()[row].split())


def test_the_card_says_what_the_report_says(place):
    export(place / "runs/tail", place / "out", "keras")
    text = (place / "out/README.md").read_text()
    report = json.loads((place / "runs/tail/report.json").read_text())
    head = yaml.safe_load(text.split("---")[1])
    metrics = head["model-index"][0]["results"][0]["metrics"]
    assert {m["type"]: m["value"] for m in metrics} == {
        name: n["value"] for name, n in report["headline"].items() if n["value"] is not None
    }
    numbers = _numbers(report)
    body = text.split("## Figures")[1].split("## Calibration")[0]
    shown = [float(x) for x in re.findall(r"(?<![\w.])\d\.\d+(?![\w.])", body)]
    assert len(shown) > 20
    for number in shown:
        assert any(f"{value:.4g}" == f"{number:.4g}" for value in numbers), number
    for words in ("Not a medical device", "Intended use", "Licence of the data", "| mel |"):
        assert words in text


def _numbers(value):
    if isinstance(value, dict):
        return [n for item in value.values() for n in _numbers(item)]
    if isinstance(value, list):
        return [n for item in value for n in _numbers(item)]
    return [value] if isinstance(value, float) else []


def test_a_file_that_differs_is_not_kept(place, monkeypatch):
    kept = export_formats.FORMATS["keras"]

    def wrong(path):
        run = kept.open(path)
        return lambda pixels: np.asarray(run(pixels)) + 2e-4

    monkeypatch.setattr(
        exporting, "find_format",
        lambda name: export_formats.ExportFormat(**{**vars(kept), "open": wrong}),
    )  # fmt: skip
    with pytest.raises(RunError, match=r"differ by 0\.0002"):
        export(place / "runs/tail", place / "out", "keras")
    assert not (place / "out").exists()
    assert not list(place.glob(".out*"))


def test_what_cannot_be_exported_is_refused(place, monkeypatch):
    with pytest.raises(StudyError, match="choose one of keras, savedmodel"):
        find_format("coreml")
    monkeypatch.setattr(util, "find_spec", lambda name: None)
    with pytest.raises(StudyError, match=r"ensemble-kit\[onnx\]"):
        find_format("onnx")
    (place / "mine").mkdir()
    (place / "mine/notes.txt").write_text("mine")
    with pytest.raises(RunError, match="no exported bundle"):
        export(place / "runs/tail", place / "mine", "keras")
    assert (place / "mine/notes.txt").read_text() == "mine"
