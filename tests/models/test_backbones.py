"""One behaviour suite for every architecture."""

import numpy as np
import pytest

from ensemble_kit.core.errors import StudyError, WeightsError
from ensemble_kit.models import NAMES, check_model_spec, find_backbone
from ensemble_kit.models.backbone import load_base_weights, resolve_weights
from ensemble_kit.study import ModelSpec

keras = pytest.importorskip("keras")


def built(name, size):
    backbone = find_backbone(name)
    return backbone, backbone.build(keras.Input((size, size, 3)))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [71, 96, 150, 151])
def test_cut_shapes_known_without_a_framework_are_the_models(name, size):
    backbone, model = built(name, size)
    for depth in range(1, backbone.n_blocks + 1):
        cut = backbone.boundary(model, depth)
        assert tuple(cut.shape[1:]) == backbone.cut_shape(size, depth), depth
    assert backbone.boundary(model, 0) is model.output
    assert backbone.cut_shape(size, 0) == (backbone.features,) == (model.output.shape[-1],)


@pytest.mark.parametrize("name", NAMES)
def test_every_weight_lies_on_one_side_of_each_cut(name):
    """Cut by topology: prefix and tail share no layer with weights and miss none."""
    backbone, model = built(name, 71)
    everything = {id(layer) for layer in model.layers if layer.weights}
    for depth in range(1, backbone.n_blocks + 1):
        cut = backbone.boundary(model, depth)
        prefix = {id(x) for x in keras.Model(model.input, cut).layers if x.weights}
        tail = {id(x) for x in keras.Model(cut, model.output).layers if x.weights}
        assert prefix | tail == everything
        assert not prefix & tail


@pytest.mark.parametrize("name", NAMES)
def test_cut_and_joined_is_the_whole_in_the_second_model_of_a_process_too(name):
    built(name, 71)
    backbone, model = built(name, 71)
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 71, 71, 3)).astype("float32")
    expected = model.predict_on_batch(pixels)
    for depth in (1, 2, backbone.n_blocks):
        cut = backbone.boundary(model, depth)
        middle = keras.Model(model.input, cut).predict_on_batch(pixels)
        joined = keras.Model(cut, model.output).predict_on_batch(middle)
        np.testing.assert_allclose(joined, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("name", NAMES)
def test_is_one_flat_graph(name):
    _, model = built(name, 71)
    assert not [layer for layer in model.layers if isinstance(layer, keras.Model)]


def test_xception_is_the_published_one():
    _, model = built("xception", 71)
    assert model.count_params() == 20_861_480


@pytest.mark.shared
def test_imagenet_weights_of_xception_load(shared):
    backbone, model = built("xception", 71)
    before = model.layers[2].get_weights()[0].copy()
    load_base_weights(model, shared / "weights/xception_imagenet_notop.weights.h5", backbone)
    assert not np.array_equal(before, model.layers[2].get_weights()[0])


def test_weights_of_another_architecture_are_refused(tmp_path):
    _, other = built("compact", 71)
    other.save_weights(tmp_path / "compact.weights.h5")
    backbone, model = built("xception", 71)
    with pytest.raises(WeightsError, match="not the weights of xception"):
        load_base_weights(model, tmp_path / "compact.weights.h5", backbone)


def test_weights_that_are_no_file_or_were_never_published_are_refused():
    with pytest.raises(WeightsError, match="not a file"):
        resolve_weights(find_backbone("xception"), "nowhere.weights.h5")
    with pytest.raises(WeightsError, match="no published ImageNet weights"):
        resolve_weights(find_backbone("compact"), "imagenet")
    assert resolve_weights(find_backbone("xception"), "none") is None


def test_a_dead_network_is_one_sentence(monkeypatch, tmp_path):
    import pooch

    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path)
    monkeypatch.setattr("ensemble_kit.models.xception.WEIGHTS_URL", "http://127.0.0.1:9/none.h5")
    with pytest.raises(WeightsError, match=r"could not be downloaded.*--weights FILE"):
        resolve_weights(find_backbone("xception"), "imagenet")


def test_size_and_depth_are_checked_against_the_architecture():
    with pytest.raises(StudyError, match="71 px"):
        check_model_spec(ModelSpec(image_size=64))
    with pytest.raises(StudyError, match="5 blocks"):
        check_model_spec(ModelSpec(backbone="compact", image_size=64, unfreeze_depth=6))
    with pytest.raises(StudyError, match="not known"):
        check_model_spec(ModelSpec(backbone="resnet"))
