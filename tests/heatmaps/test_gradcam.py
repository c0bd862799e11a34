"""The closed form is the gradient's map, by hand and by automatic differentiation."""

from pathlib import Path

import numpy as np
import pytest

from ensemble_kit.core.errors import RunError
from ensemble_kit.heatmaps.gradcam import contributions, grad_cam, head_probabilities
from ensemble_kit.models import find_backbone
from ensemble_kit.models.fold_model import FoldModel, open_fold_model
from ensemble_kit.models.staged import build_staged
from ensemble_kit.study import ModelSpec

keras = pytest.importorskip("keras")
COMPACT = find_backbone("compact")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    spec = ModelSpec(backbone="compact", weights="none", image_size=64, unfreeze_depth=2)
    staged = build_staged(spec, None, 4, 3)
    dense = staged.head_layers[1]
    dense.set_weights([w + 0.3 * np.cos(np.arange(w.size)).reshape(w.shape)
                       for w in dense.get_weights()])  # fmt: skip
    path = tmp_path_factory.mktemp("model") / "model.keras"
    staged.whole.save(path)
    return path


@pytest.fixture
def model(saved: Path) -> FoldModel:
    return open_fold_model(saved, COMPACT)


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(5).integers(0, 255, (18, 64, 64, 3)).astype(np.uint8)


def test_a_map_by_hand() -> None:
    features = np.array([[[[1, 0], [2, 0]], [[0, 4], [0, 0]]]], np.float32)
    kernel = np.array([[4.0, -4.0], [-8.0, 8.0]])
    classes = np.array([0])
    assert contributions(features, kernel, classes).tolist() == [[[1, 2], [-8, 0]]]
    assert grad_cam(features, kernel, classes).tolist() == [[[0.5, 1], [0, 0]]]
    assert grad_cam(features, kernel, np.array([1])).tolist() == [[[0, 0], [1, 0]]]


def test_an_image_without_evidence_is_zero_throughout() -> None:
    features = np.ones((1, 3, 3, 2), np.float32)
    heat = grad_cam(features, np.array([[-1.0, 2.0], [0.5, 2.0]]), np.array([0]))
    assert not heat.any()


def test_contributions_and_bias_add_up_to_the_logits(model: FoldModel, pixels: np.ndarray) -> None:
    features = model.features(pixels, None)
    logits = np.stack([
        contributions(features, model.kernel, np.full(18, c)).sum(axis=(1, 2)) + model.bias[c]
        for c in range(4)
    ], axis=1)  # fmt: skip
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares, model.whole.predict(pixels, verbose=0), atol=1e-5)
    np.testing.assert_allclose(
        shares, head_probabilities(features, model.kernel, model.bias), atol=1e-12
    )


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="differentiates by TensorFlow")
def test_the_closed_form_equals_the_gradient(model: FoldModel, pixels: np.ndarray) -> None:
    """Equations 1 and 2 of the paper, the weights being means of gradients of the logit."""
    import tensorflow as tf

    classes = np.arange(18) % 4
    dense = model.whole.layers[-1]
    to_pooled = keras.Model(model.whole.input, [model.pooled, dense.input])
    to_map = keras.Model(model.pooled, dense.input)
    features = tf.convert_to_tensor(to_pooled(pixels, training=False)[0])
    with tf.GradientTape() as tape:
        tape.watch(features)
        logits = to_map(features, training=False) @ dense.kernel + dense.bias
        score = tf.gather(logits, classes, batch_dims=1)
    gradient = tape.gradient(score, features).numpy()
    alpha = gradient.mean(axis=(1, 2), keepdims=True)
    oracle = np.maximum((alpha * features.numpy()).sum(axis=-1), 0)
    oracle *= features.shape[1] * features.shape[2]  # the paper's mean, to the scale of a sum
    found = np.maximum(contributions(model.features(pixels, None), model.kernel, classes), 0)
    np.testing.assert_allclose(found * found[0].size, oracle, rtol=1e-4, atol=1e-5)
    peak = oracle.max(axis=(1, 2), keepdims=True)
    assert (peak > 0).sum() > 5, "maps that are all zero would agree with anything"
    np.testing.assert_allclose(
        grad_cam(model.features(pixels, None), model.kernel, classes),
        oracle / np.where(peak > 0, peak, 1), atol=1e-4,
    )  # fmt: skip


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_any_cut_leads_to_the_same_features(
    model: FoldModel, pixels: np.ndarray, depth: int
) -> None:
    cut = keras.Model(model.whole.input, COMPACT.boundary(model.whole, depth))
    np.testing.assert_allclose(
        model.features(cut.predict(pixels, verbose=0), depth), model.features(pixels, None),
        atol=1e-5,
    )  # fmt: skip


def test_another_head_is_refused(tmp_path: Path) -> None:
    pixels = keras.Input((32, 32, 3))
    features = keras.layers.Conv2D(4, 3)(pixels)
    flat = keras.layers.Flatten()(features)
    keras.Model(pixels, keras.layers.Dense(2, "softmax")(flat)).save(tmp_path / "flat.keras")
    pooled = keras.layers.GlobalAveragePooling2D()(features)
    hidden = keras.layers.Dense(8, "relu")(pooled)
    keras.Model(pixels, keras.layers.Dense(2, "softmax")(hidden)).save(tmp_path / "deep.keras")
    for name in ("flat.keras", "deep.keras"):
        with pytest.raises(RunError, match="does not end in global average pooling"):
            open_fold_model(tmp_path / name, COMPACT)


def test_a_model_that_would_run_code_is_refused(tmp_path: Path) -> None:
    pixels = keras.Input((32, 32, 3))
    bent = keras.layers.Lambda(lambda x: x + 1, output_shape=(32, 32, 3))(pixels)
    keras.Model(pixels, bent).save(tmp_path / "code.keras")
    with pytest.raises(RunError, match="cannot be loaded"):
        open_fold_model(tmp_path / "code.keras", COMPACT)
    (tmp_path / "torn.keras").write_bytes(b"PK\x03\x04")
    with pytest.raises(RunError, match="cannot be loaded"):
        open_fold_model(tmp_path / "torn.keras", COMPACT)
