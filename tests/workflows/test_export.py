"""Exported files give what the run gives, in every format whose packages are here."""

import json
import re
import subprocess
import sys
from importlib import util
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image, ImageOps

from ensemble_kit.core.atomic import sha256_of_file
from ensemble_kit.core.errors import OutputError, RunError, StudyError
from ensemble_kit.data.decode import decode
from ensemble_kit.models import export_formats
from ensemble_kit.models.export_formats import FORMATS, check_abilities, find_format
from ensemble_kit.models.shipped_graph import GraphMember, build_shipped_graph
from ensemble_kit.models.views import view_of
from ensemble_kit.runs.folder import read_run
from ensemble_kit.workflows import export as exporting
from ensemble_kit.workflows.bundle import script_of
from ensemble_kit.workflows.export import export, foreign_in_bundle
from ensemble_kit.workflows.predict import predict
from ensemble_kit.workflows.shipped import open_shipped

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
    assert len(script.read_text().splitlines()) <= 70
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


def test_a_bundle_is_replaced_where_it_holds_what_exports_write_alone(tmp_path):
    for name in ("bundle.json", "predict.py", "README.md", "model.onnx", "model.xml", "model.bin",
                 "saved_model/saved_model.pb", "saved_model/fingerprint.pb",
                 "saved_model/variables/variables.data-00000-of-00001"):  # fmt: skip
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text("")
    assert foreign_in_bundle(tmp_path) == []
    mine = ["model-notes.txt", "saved_model/mine.txt", "saved_model/variables/deep/mine.pb"]
    for name in mine:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("mine")
    assert foreign_in_bundle(tmp_path) == mine


def test_int8_is_bounded_and_judged_out_of_fold(place, monkeypatch):
    """The tests' network is small and answers noise with another class at the least change."""
    needs("onnx")
    monkeypatch.setattr(exporting, "INT8_TOLERANCE", 0.1)
    done = export(place / "runs/both", place / "out", "onnx", quantize="int8")
    assert 1e-4 < done.largest <= 0.1
    bundle = json.loads((place / "out/bundle.json").read_text())
    assert bundle["verification"]["tolerance"] == 0.1
    assert bundle["verification"]["largest_difference"] == done.largest
    said = bundle["quantization"]
    assert said["kind"] == "int8"
    assert said["images"] == 48
    run = read_run(place / "runs/both")
    auc = said["changes"][0]
    assert auc["metric"] == "roc_auc_ovr"
    assert auc["int8"] - auc["as_run"] == pytest.approx(auc["difference"])
    assert auc["low"] <= auc["difference"] <= auc["high"]
    assert run.table.n_groups == said["groups"]
    assert 0 <= said["largest"] < 0.1
    card = (place / "out/README.md").read_text()
    assert done.quantized.sentence[5:] in card
    for change in said["changes"]:
        assert change["difference"] is not None


def test_int8_beyond_the_bound_is_not_kept(place, monkeypatch):
    needs("onnx")
    monkeypatch.setattr(exporting, "INT8_TOLERANCE", 0.0)
    with pytest.raises(RunError, match=r"no int8 form of model.onnx keeps within 0 .*without --q"):
        export(place / "runs/head", place / "out", "onnx", quantize="int8")
    assert not (place / "out").exists()
    assert not list(place.glob(".out*"))


def test_what_a_format_cannot_do_is_one_sentence(place):
    for name in ("keras", "savedmodel", "litert", "openvino"):
        with pytest.raises(StudyError, match="has no int8 form here: export onnx"):
            check_abilities(FORMATS[name], quantize="int8", encoded=False)
    with pytest.raises(StudyError, match="give int8"):
        check_abilities(FORMATS["onnx"], quantize="int4", encoded=False)
    for name in ("keras", "onnx", "litert", "openvino"):
        with pytest.raises(StudyError, match="encoded JPEG as input is for savedmodel"):
            check_abilities(FORMATS[name], quantize="", encoded=True)
    for to in ("runs/head", "runs/head/out", "runs", "data/metadata.csv"):
        with pytest.raises((RunError, OutputError), match="a folder"):
            export(place / "runs/head", place / to, "keras", overwrite=True)


def test_savedmodel_takes_encoded_jpeg(place):
    import tensorflow as tf

    done = export(place / "runs/head", place / "out", "savedmodel", encoded=True)
    assert done.encoded.images + done.encoded.approximate > 0
    assert done.encoded.largest <= 1e-4
    image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8))
    tags = Image.Exif()
    tags[0x0112] = 3
    image.save(place / "turned.jpg", exif=tags)
    model = tf.saved_model.load(str(place / "out/saved_model"))
    found = model.serve_jpeg(tf.constant([(place / "turned.jpg").read_bytes()])).numpy()
    expected = predict(place / "runs/head", place / "turned.jpg").probabilities
    assert np.abs(found - expected).max() < 1e-4
    bundle = json.loads((place / "out/bundle.json").read_text())
    assert bundle["input"]["encoded_jpeg"] == "serve_jpeg"
    assert "encoded(data)" in (place / "out/predict.py").read_text()


def test_the_script_reads_pixels_as_the_program_does(tmp_path):
    """Of every kind of file; four inks are turned into colours by two libraries, nearly alike."""
    inks = 3
    smooth = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    base = Image.fromarray(smooth).resize((300, 200), Image.Resampling.BICUBIC)
    see_through = base.convert("RGBA")
    see_through.putalpha(Image.linear_gradient("L").resize(base.size))
    deep = Image.fromarray(np.asarray(base.convert("L")).astype(np.uint16) * 257)
    tags = Image.Exif()
    tags[0x0112] = 6
    named = {"a.jpg": base, "b.png": see_through, "c.png": deep, "d.jpg": base.convert("L"),
             "e.png": base.convert("P"), "f.png": base.convert("LA"), "g.bmp": base,
             "h.jpg": base.resize((1200, 800)), "i.jpg": base.convert("CMYK"),
             "j.jpg": base.resize((80, 120))}  # fmt: skip
    for name, image in named.items():
        image.save(tmp_path / name, **({"exif": tags} if name == "j.jpg" else {}))
    text = script_of(FORMATS["keras"])
    code = text[text.index("def bits_of") : text.index("for path in sys.argv")]
    for aspect in ("crop", "pad", "stretch"):
        room = {
            "SIZE": 48,
            "ASPECT": aspect,
            "BITS": 0,
            "Path": Path,
            "np": np,
            "Image": Image,
            "ImageOps": ImageOps,
        }
        exec(code, room)
        for name in named:
            gap = room["pixels"](tmp_path / name)[0] - decode(tmp_path / name, 48, aspect)
            assert np.abs(gap).max() <= (inks if name == "i.jpg" else 0), (name, aspect)


@pytest.mark.slow
def test_an_onnx_bundle_runs_where_only_its_runtime_is_installed(place):
    """A fresh environment: onnxruntime, numpy and pillow, no package of this project's."""
    needs("onnx")
    export(place / "runs/both", place / "out", "onnx")
    venv = place / "fresh"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    python = venv / "bin/python"
    got = subprocess.run(
        [python, "-m", "pip", "install", "-q", "onnxruntime", "numpy", "pillow"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if got.returncode:
        pytest.skip(f"no package index: {got.stderr.splitlines()[-1:]}")
    bare = {"PATH": "/usr/bin:/bin"}
    absent = subprocess.run([python, "-c", "import ensemble_kit"], cwd=place / "out", env=bare,
                            capture_output=True, check=False)  # fmt: skip
    assert absent.returncode == 1
    files = sorted((place / "data/images").iterdir())[:5]
    done = subprocess.run(
        [python, "predict.py", *map(str, files)], cwd=place / "out", env=bare,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    said = [list(json.loads(x)["probabilities"].values()) for x in done.stdout.splitlines()]
    expected = predict(place / "runs/both", files).probabilities
    assert np.abs(np.array(said) - expected).max() < 1e-4


def test_views_are_one_batch_so_the_network_stands_in_the_file_once(place):
    (member,) = open_shipped(place / "runs/tail").members

    def graph(views):
        return build_shipped_graph([GraphMember("tail", member.ensemble, views, (0, 1, 2))], None)

    def calls(model):
        return [op.name for op in model.operations if isinstance(op, keras.Model)]

    assert calls(graph(8)) == calls(graph(1))
    pixels = np.random.default_rng(6).integers(0, 256, (3, 48, 48, 3)).astype(np.float32)
    turned = [view_of(pixels, view) for view in range(8)]
    one = graph(1)
    expected = np.mean([one.predict_on_batch(x) for x in turned], axis=0)
    assert np.abs(graph(8).predict_on_batch(pixels) - expected).max() < 1e-6
