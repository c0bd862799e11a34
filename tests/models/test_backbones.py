"""One behaviour suite for every architecture, with random weights at its smallest size."""

import os
from dataclasses import replace

import numpy as np
import pytest

from ensemble_kit.core.errors import StudyError, WeightsError
from ensemble_kit.models import NAMES, check_model_spec, find_backbone
from ensemble_kit.models.backbone import load_base_weights
from ensemble_kit.models.cuts import find_blocks, leaves
from ensemble_kit.models.draws import FoldSeed
from ensemble_kit.models.fold_model import load_network, open_fold_model
from ensemble_kit.models.staged import build_staged, drawing_layers
from ensemble_kit.models.weights import resolve_weights
from ensemble_kit.study import ModelSpec

keras = pytest.importorskip("keras")

LIGHT = ("compact", "smallresnet", "xception", "mobilenetv2", "efficientnetv2b0")
SUITE = NAMES if os.environ.get("ALL_BACKBONES") else LIGHT
"""All of them take minutes: `make test-backbones`."""
FURTHER = {"efficientnetv2s": 2e-4}
"""Stored minus end to end with random weights, where 1e-4 is not met. 28 blocks before the end of
efficientnetv2s, activations changed by a relative 2^-23, one unit of float32, move its output by
0.8e-4; two float16 parts (relative error at most 7e-6, for numbers near 0) move it by 1.15e-4."""
SEED = FoldSeed(0, 0, 1)


def built(name, size):
    backbone = find_backbone(name)
    return backbone, backbone.build(keras.Input((size, size, 3)))


def listed(outputs):
    return outputs if isinstance(outputs, list) else [outputs]


def first(outputs):
    return listed(outputs)[0]


def depths_of(backbone):
    return sorted({0, 1, min(2, backbone.n_blocks), max(1, backbone.n_blocks * 2 // 3)})


@pytest.fixture(scope="module", params=SUITE)
def staged(request):
    """The network of depth 2 (1 where there are no two cuts), three classes."""
    keras.backend.clear_session()
    backbone = find_backbone(request.param)
    depth = min(2, backbone.n_blocks - 1)
    size = backbone.min_size
    spec = ModelSpec(
        backbone=request.param, weights="none", image_size=size, unfreeze_depth=depth, dropout=0.0
    )
    return settled(build_staged(spec, None, 3, 0))


def drawn(n, size):
    """Images that differ as photos do, in colour; noise alone looks the same to deep layers."""
    rng = np.random.default_rng(1)
    colour, noise = rng.uniform(0, 255, (n, 1, 1, 3)), rng.uniform(0, 255, (n, size, size, 3))
    return (0.6 * colour + 0.4 * noise).astype("float32")


def settled(staged):
    """With the batch statistics of some pixels, as a trained network has them: with those that
    random weights begin with, activations vanish on the way."""
    size = staged.backbone.min_size
    images = drawn(8, size)
    norms = [leaf for layer in staged.base.layers for leaf in leaves(layer)
             if isinstance(leaf, keras.layers.BatchNormalization)]  # fmt: skip
    momenta = [layer.momentum for layer in norms]
    for layer in norms:
        layer.trainable, layer.momentum = True, 0.0
    staged.pooled(images, training=True)
    for layer, momentum in zip(norms, momenta, strict=True):
        layer.momentum = momentum
    staged.freeze(train_tail=False)
    initial = tuple(array for layer in staged.tail_layers for array in layer.get_weights())
    return replace(staged, initial=initial)


@pytest.fixture(scope="module")
def pixels(staged):
    size = staged.backbone.min_size
    return drawn(8, size)[:4]


def test_what_is_recorded_is_in_the_graph(staged):
    backbone, size = staged.backbone, staged.backbone.min_size
    blocks = find_blocks(staged.base.inputs[0], staged.base.outputs[0], backbone.stages)
    assert [block.name for block in blocks] == [cut.block for cut in backbone.facts.cuts]
    assert len({block.name for block in blocks}) == len(blocks) >= 2
    for depth in range(1, backbone.n_blocks + 1):
        cut = backbone.boundary(staged.base, depth)
        assert tuple(cut.shape[1:]) == backbone.cut_shape(size, depth), depth
    assert backbone.cut_shape(size, 0) == (backbone.features,)
    assert staged.base.outputs[0].shape[-1] == backbone.features
    assert staged.base.count_params() == backbone.facts.parameters


def test_every_weight_lies_on_one_side_of_each_cut(staged):
    """Cut by topology: prefix and tail share no layer with weights and miss none."""
    backbone, base = staged.backbone, staged.base
    everything = {id(layer) for layer in base.layers if layer.weights}
    for depth in range(1, backbone.n_blocks + 1):
        cut = backbone.boundary(base, depth)
        prefix = {id(x) for x in keras.Model(base.inputs, cut).layers if x.weights}
        tail = {id(x) for x in keras.Model(cut, base.outputs).layers if x.weights}
        assert prefix | tail == everything
        assert not prefix & tail


def test_stored_is_end_to_end(staged, pixels, record_testsuite_property):
    """What goes on from stored activations, float16 and its rounding error, is the whole."""
    largest = 0.0
    staged.reset(SEED)
    depths = depths_of(staged.backbone)
    whole = np.asarray(staged.whole(pixels, training=False))
    for depth, stored in zip(depths, listed(staged.outputs_at(tuple(depths))(pixels)), strict=True):
        rows = np.asarray(stored)
        assert rows.shape[1:] == staged.backbone.cut_shape(staged.backbone.min_size, depth)
        if depth and np.abs(rows).max() < np.finfo(np.float16).max:
            high = rows.astype(np.float16).astype(np.float32)
            rows = high + (rows - high).astype(np.float16).astype(np.float32)
        found = keras.Model(staged.tensor_at(depth), staged.whole.output)(rows, training=False)
        largest = max(largest, float(np.abs(np.asarray(found) - whole).max()))
        np.testing.assert_allclose(
            np.asarray(found), whole, atol=FURTHER.get(staged.backbone.name, 1e-4)
        )
    record_testsuite_property(f"{staged.backbone.name}: stored minus end to end", largest)


def test_a_step_from_stored_activations_is_a_step_end_to_end_and_freezing_freezes(staged, pixels):
    targets = np.eye(3, dtype="float32")[[0, 1, 2, 0]]
    found = []
    for part in ("suffix", "tuned_whole"):
        staged.freeze(train_tail=True)
        staged.reset(SEED)
        before = [w.copy() for w in staged.whole.get_weights()]
        rows = np.asarray(first(staged.outputs_at((staged.depth,))(pixels)))
        model = getattr(staged, part)
        model.compile(keras.optimizers.SGD(1e-3), "categorical_crossentropy", run_eagerly=True)
        model.train_on_batch(rows if part == "suffix" else pixels, targets)
        tail = [weight for layer in staged.tail_layers for weight in layer.weights]
        head = staged.head_layers[1].weights
        moving = {id(w) for w in [*tail, *head]}
        for weight, old in zip(staged.whole.weights, before, strict=True):
            if id(weight) not in moving:
                np.testing.assert_array_equal(np.asarray(weight), old)
        for layer in staged.tail_layers:
            for leaf in leaves(layer):
                if isinstance(leaf, keras.layers.BatchNormalization):
                    assert not leaf.trainable
        moved = [w for w, old in zip(staged.whole.weights, before, strict=True)
                 if not np.array_equal(np.asarray(w), old)]  # fmt: skip
        assert len(moved) > len(head)
        found.append(np.asarray(staged.whole(pixels, training=False)))
        staged.reset(SEED)
        for weight, old in zip(staged.whole.weights, before, strict=True):
            np.testing.assert_array_equal(np.asarray(weight), old)
    np.testing.assert_allclose(found[0], found[1], atol=1e-4)


def test_frozen_parts_draw_nothing_and_trained_ones_as_the_fold_says(staged, pixels):
    pixels = np.concatenate([pixels] * 8)
    staged.freeze(train_tail=False)
    still = np.asarray(first(staged.pooled(pixels, training=True)))
    np.testing.assert_array_equal(still, np.asarray(first(staged.pooled(pixels, training=False))))
    staged.freeze(train_tail=True)
    trained = [layer for layer in drawing_layers(staged.base) if layer.trainable]
    seen = []
    for seed in (SEED, SEED, FoldSeed(0, 0, 2)):
        staged.reset(seed)
        seen.append(np.asarray(first(staged.pooled(pixels, training=True))))
    np.testing.assert_array_equal(seen[0], seen[1])
    assert (not trained) == np.array_equal(seen[0], seen[2])
    staged.freeze(train_tail=False)


def test_saved_and_opened_at_any_cut_by_grad_cam(staged, pixels, tmp_path):
    staged.reset(SEED)
    expected = np.asarray(staged.whole(pixels, training=False))
    depths = depths_of(staged.backbone)[1:]
    stored = [np.asarray(x) for x in listed(staged.outputs_at(tuple(depths))(pixels))]
    staged.whole.save(tmp_path / "model.keras")
    again = load_network(tmp_path / "model.keras")
    np.testing.assert_allclose(np.asarray(again(pixels, training=False)), expected, atol=1e-5)
    opened = open_fold_model(tmp_path / "model.keras", staged.backbone)
    maps = opened.features(pixels, None)
    scores = maps.mean(axis=(1, 2)) @ opened.kernel + opened.bias
    p = np.exp(scores - scores.max(axis=1, keepdims=True))
    np.testing.assert_allclose(p / p.sum(axis=1, keepdims=True), expected, atol=1e-4)
    for depth, rows in zip(depths, stored, strict=True):
        largest = max(1.0, float(np.abs(maps).max()))
        np.testing.assert_allclose(opened.features(rows, depth), maps, atol=1e-4 * largest)


@pytest.mark.parametrize("name", LIGHT)
@pytest.mark.parametrize("size", [96, 151])
def test_recorded_shapes_hold_at_other_sizes(name, size):
    backbone, model = built(name, size)
    for depth in range(1, backbone.n_blocks + 1):
        cut = backbone.boundary(model, depth)
        assert tuple(cut.shape[1:]) == backbone.cut_shape(size, depth), depth


def test_cut_and_joined_is_the_whole_in_the_second_model_of_a_process_too():
    built("xception", 71)
    backbone, model = built("xception", 71)
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 71, 71, 3)).astype("float32")
    expected = model.predict_on_batch(pixels)
    for depth in (1, 2, backbone.n_blocks):
        cut = backbone.boundary(model, depth)
        middle = keras.Model(model.inputs, cut).predict_on_batch(pixels)
        joined = keras.Model(cut, model.outputs[0]).predict_on_batch(middle)
        np.testing.assert_allclose(joined, expected, atol=1e-5 * np.abs(expected).max())


def test_xception_is_the_published_one_cut_where_its_stores_were():
    backbone, model = built("xception", 71)
    assert model.count_params() == 20_861_480
    assert [cut.block for cut in backbone.facts.cuts] == [f"block{i}" for i in range(1, 15)]
    assert backbone.preprocessing == "scale-to-minus-one-one"
    for block in range(2, 15):
        first = f"block{block}_sepconv1"
        name = first if block in (2, 14) else f"{first}_act"
        assert backbone.boundary(model, 15 - block) is model.get_layer(name).input
    assert backbone.boundary(model, 14) is model.get_layer("block1_conv1").input
    shapes = [backbone.cut_shape(224, depth) for depth in range(15)]
    assert shapes[:4] == [(2048,), (7, 7, 1024), (14, 14, 728), (14, 14, 728)]
    assert shapes[10:] == [(14, 14, 728), (28, 28, 256), (55, 55, 128), (109, 109, 64),
                           (224, 224, 3)]  # fmt: skip


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


def test_weights_fetched_by_earlier_versions_or_by_keras_are_found(monkeypatch, tmp_path):
    import pooch

    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "cache")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    backbone = find_backbone("xception")
    by_keras = tmp_path / "keras/models" / backbone.facts.weights_file
    earlier = tmp_path / "cache/weights/xception_imagenet_notop.h5"
    for path in (by_keras, earlier):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"w")
        assert resolve_weights(backbone, "imagenet") == path


@pytest.mark.slow
def test_a_dead_network_is_one_sentence(monkeypatch, tmp_path):
    import pooch

    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "cache")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    for scheme in ("http_proxy", "https_proxy", "HTTPS_PROXY", "HTTP_PROXY"):
        monkeypatch.setenv(scheme, "http://127.0.0.1:9")
    with pytest.raises(WeightsError, match=r"could not be downloaded.*--weights FILE"):
        resolve_weights(find_backbone("mobilenetv2"), "imagenet")


def test_size_and_depth_are_checked_against_the_architecture():
    with pytest.raises(StudyError, match="71 px"):
        check_model_spec(ModelSpec(image_size=64))
    with pytest.raises(StudyError, match="5 blocks"):
        check_model_spec(ModelSpec(backbone="compact", image_size=64, unfreeze_depth=6))


@pytest.mark.parametrize(
    ("name", "near"),
    [("resnet", "resnet50v2"), ("Xception", "xception"), ("efficientnet-v2-s", "efficientnetv2s")],
)
def test_an_unknown_name_is_told_its_neighbours(name, near):
    with pytest.raises(StudyError, match=f"not known; did you mean .*{near}"):
        check_model_spec(ModelSpec(backbone=name, image_size=64))


def test_what_is_near_nothing_gets_the_list():
    with pytest.raises(StudyError, match=r"choose one of xception, .*compact"):
        find_backbone("zzz")
