"""Which backend trains: named, installed, and refused before any work where it cannot."""

import subprocess
import sys
from importlib import util

import pytest

from ensemble_kit.core.errors import StudyError
from ensemble_kit.models import device
from ensemble_kit.models.export_formats import find_format


def test_a_backend_nobody_trains_on_is_refused(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "openvino")
    with pytest.raises(StudyError, match=r"'openvino', which does not train here: .*tensorflow"):
        device.configured_backend()


def test_a_backend_that_is_not_installed_names_its_extra(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.setattr(device, "find_spec", lambda name: None)
    with pytest.raises(StudyError, match=r'jax, which is not installed: .*"ensemble-kit\[jax\]"'):
        device.configured_backend()


def test_the_file_of_keras_counts_where_the_environment_says_nothing(monkeypatch, tmp_path):
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert device.configured_backend() == "tensorflow"
    (tmp_path / "keras.json").write_text('{"backend": "cntk"}', encoding="utf-8")
    with pytest.raises(StudyError, match="'cntk'"):
        device.configured_backend()


@pytest.mark.skipif(util.find_spec("tf2onnx") is None, reason="tf2onnx is an extra")
def test_files_that_tensorflow_writes_are_refused_on_another_backend(monkeypatch):
    monkeypatch.setattr(device, "find_spec", lambda name: "found")
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert find_format("keras").name == "keras"
    with pytest.raises(StudyError, match="KERAS_BACKEND=tensorflow"):
        find_format("onnx")


def test_savedmodel_is_refused_on_another_backend(monkeypatch):
    monkeypatch.setattr(device, "find_spec", lambda name: "found")
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    with pytest.raises(StudyError, match="savedmodel is written by TensorFlow"):
        find_format("savedmodel")


def test_a_gpu_that_a_notebook_has_used_already_is_taken_as_it_is(monkeypatch):
    tf = pytest.importorskip("tensorflow")

    def too_late(device, enable):
        raise RuntimeError("Physical devices cannot be modified after being initialized")

    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["a card"])
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", too_late)
    assert device._has_gpu("tensorflow", 0)


def test_a_command_refuses_it_before_any_work(project, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "mxnet")
    call = [sys.executable, "cli.py", "cv", "--study", "studies/sample.toml", "--run", "r"]
    places = ["--runs-dir", str(tmp_path / "runs"), "--store", str(tmp_path / "store")]
    done = subprocess.run([*call, *places], cwd=project, capture_output=True, text=True)
    assert done.returncode == 2
    assert "'mxnet', which does not train here" in done.stderr
    assert not (tmp_path / "runs").exists()
