"""A base of the user's own: a file that is read before it is loaded, or a function."""

import json
import zipfile

import numpy as np
import pytest

from ensemble_kit.core.errors import StudyError, WeightsError
from ensemble_kit.models import check_model_spec
from ensemble_kit.models.own import check_base_file, own_backbone
from ensemble_kit.models.weights import resolve_weights, weights_digest
from ensemble_kit.study import ModelSpec

keras = pytest.importorskip("keras")


def small(pixels):
    x = keras.layers.Rescaling(1 / 255)(pixels)
    for width in (4, 8, 8):
        x = keras.layers.Conv2D(width, 3, strides=2, padding="same")(x)
        x = keras.layers.BatchNormalization()(x)
        x = keras.layers.ReLU()(x)
    return keras.Model(pixels, x)


def spec_of(name, **changes):
    return ModelSpec(backbone=str(name), **({"image_size": 32, "unfreeze_depth": 1} | changes))


@pytest.fixture
def base_file(tmp_path):
    small(keras.Input((None, None, 3))).save(tmp_path / "base.keras")
    return tmp_path / "base.keras"


def test_a_file_is_cut_and_keeps_its_weights(base_file):
    backbone = check_model_spec(spec_of(base_file))
    assert backbone.n_blocks == 3
    assert [backbone.cut_shape(32, d) for d in range(4)] == [(8,), (8, 8, 8), (16, 16, 4),
                                                             (32, 32, 3)]  # fmt: skip
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype("float32")
    model = backbone.build(keras.Input((32, 32, 3)))
    kept = keras.models.load_model(base_file)
    np.testing.assert_allclose(model.predict_on_batch(pixels), kept.predict_on_batch(pixels))


def test_a_function_is_called_with_the_pixels_and_repeats(base_file):
    name = f"{__name__}:small"
    backbone = check_model_spec(spec_of(name))
    assert backbone.n_blocks == 3
    assert resolve_weights(backbone, "imagenet") is None
    assert weights_digest(None, 0, backbone, 32) == backbone.own(32, 0) != backbone.own(32, 1)
    own_backbone.cache_clear()
    again = check_model_spec(spec_of(name))
    assert again.own(32, 0) == backbone.own(32, 0)
    with pytest.raises(WeightsError, match="brings its own weights"):
        resolve_weights(backbone, "none")


def two_outputs(pixels):
    model = small(pixels)
    return keras.Model(pixels, [model.output, model.output])


def with_top(pixels):
    return keras.Model(pixels, keras.layers.GlobalAveragePooling2D()(small(pixels).output))


def one_stretch(pixels):
    x = keras.layers.Conv2D(4, 3)(pixels)
    return keras.Model(pixels, x)


def fails(pixels):
    raise OSError("no such thing")


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("two_outputs", "1 inputs and 2 outputs"),
        ("with_top", "not a feature map"),
        ("one_stretch", "cannot be cut into blocks"),
        ("fails", "OSError: no such thing"),
        ("absent", "cannot be imported"),
    ],
)
def test_functions_that_make_no_base_are_refused(function, said):
    with pytest.raises(StudyError, match=said):
        check_model_spec(spec_of(f"{__name__}:{function}"))


def test_files_that_are_no_base_are_refused(tmp_path):
    with pytest.raises(StudyError, match="is not a file"):
        check_model_spec(spec_of(tmp_path / "absent.keras"))
    (tmp_path / "text.keras").write_text("no archive")
    with pytest.raises(StudyError, match=r"not a \.keras file"):
        check_model_spec(spec_of(tmp_path / "text.keras"))


def test_a_fixed_size_is_kept_to(tmp_path):
    small(keras.Input((64, 64, 3))).save(tmp_path / "base.keras")
    with pytest.raises(StudyError, match="give --image-size 64"):
        check_model_spec(spec_of(tmp_path / "base.keras", image_size=96))


@pytest.mark.parametrize(
    "layer",
    [
        {"class_name": "Lambda", "module": "keras.layers", "config": {}},
        {"class_name": "TFSMLayer", "module": "keras.layers", "config": {}},
        {"class_name": "system", "module": "os", "config": {}},
        {"class_name": "Mine", "module": None, "registered_name": "mine>Mine", "config": {}},
        {"class_name": "function", "module": "keras.utils", "config": "get_file"},
        {"class_name": "__lambda__", "config": {}},
    ],
)
def test_a_file_that_would_run_code_is_not_loaded(tmp_path, layer, monkeypatch):
    config = {"class_name": "Functional", "module": "keras", "config": {"layers": [layer]}}
    with zipfile.ZipFile(tmp_path / "evil.keras", "w") as archive:
        archive.writestr("config.json", json.dumps(config))
    monkeypatch.setattr(keras.models, "load_model", None)
    with pytest.raises(StudyError, match="so the file is not loaded"):
        check_base_file(tmp_path / "evil.keras")
    with pytest.raises(StudyError, match="so the file is not loaded"):
        check_model_spec(spec_of(tmp_path / "evil.keras"))
