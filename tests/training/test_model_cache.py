"""Another depth rebuilds the head alone and lets go of what it replaces; another dropout is set."""

import gc
import weakref

import numpy as np
import pytest

from ensemble_kit.models.changing_dropout import change_rate, dropout_layer
from ensemble_kit.models.draws import FoldSeed
from ensemble_kit.training import model_cache
from ensemble_kit.training.model_cache import open_model_cache

keras = pytest.importorskip("keras")


@pytest.mark.parametrize(("setting", "value"), [("dropout", 0.0), ("unfreeze_depth", 1)])
def test_another_head_keeps_the_base_and_frees_the_old_network(spec, setting, value, monkeypatch):
    monkeypatch.setattr(model_cache._process, "cache", None)
    cache = open_model_cache(spec, None, 3, 0)
    base, old = cache.staged.base, weakref.ref(cache.staged.whole)
    first = [array.copy() for array in base.get_weights()]
    for layer in cache.staged.tail_layers:
        layer.set_weights([array + 1.0 for array in layer.get_weights()])
    other = spec.override({"model": {setting: value}})
    del cache
    cache = open_model_cache(other, None, 3, 0)
    gc.collect()
    assert cache.staged.base is base
    assert old() is None, "the network with the old head is still held"
    for now, before in zip(base.get_weights(), first, strict=True):
        np.testing.assert_array_equal(now, before)
    assert cache.staged.head_layers[0].rate == other.model.dropout
    assert cache.staged.depth == other.model.unfreeze_depth
    assert open_model_cache(other, None, 3, 0) is cache


def test_another_dropout_keeps_the_network_and_what_was_compiled(spec, monkeypatch):
    monkeypatch.setattr(model_cache._process, "cache", None)
    cache = open_model_cache(spec, None, 3, 0)
    head = cache.compiled("head")
    other = open_model_cache(spec.override({"model": {"dropout": 0.55}}), None, 3, 0)
    if keras.backend.backend() == "jax":
        assert other is not cache
    else:
        assert other.compiled("head") is head
    assert other.staged.head_layers[0].rate == 0.55


def test_a_network_of_a_changed_dropout_is_saved_as_a_plain_one(spec, tmp_path, monkeypatch):
    monkeypatch.setattr(model_cache._process, "cache", None)
    open_model_cache(spec, None, 3, 0)
    cache = open_model_cache(spec.override({"model": {"dropout": 0.55}}), None, 3, 0)
    cache.staged.whole.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    layer = loaded.get_layer("head_dropout")
    assert type(layer) is keras.layers.Dropout
    assert layer.rate == 0.55
    assert len(layer.variables) == 1, "the state of its draws"
    for kept, array in zip(cache.staged.whole.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(kept, array)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("rate", [0.05, 0.3, 0.55, 0.9])
def test_a_changed_dropout_draws_and_scales_as_the_framework_does(rate, dtype):
    ours = dropout_layer(0.2, "ours")
    x = keras.ops.cast(keras.random.uniform((64, 33), seed=3), dtype)
    ours.dtype_policy = dtype
    plain = keras.layers.Dropout(rate, seed=0, dtype=dtype)
    if not change_rate(ours, rate):
        pytest.skip("this backend makes the layer anew")
    for _ in range(3):
        dropped = (keras.ops.cast(layer(x, training=True), "float32") for layer in (ours, plain))
        made, wanted = map(keras.ops.convert_to_numpy, dropped)
        np.testing.assert_array_equal(made, wanted)
        assert 0 < np.mean(made == 0) < 1
    assert keras.ops.all(ours(x, training=False) == x)


def test_a_rebuilt_head_gives_what_a_fresh_network_gives(spec):
    """Same weights, same masks: one step of training ends in the same head, to the bit."""

    def step(before: float | None) -> list[np.ndarray]:
        model_cache._process.cache = None
        if before is not None:
            open_model_cache(spec.override({"model": {"dropout": before}}), None, 3, 0)
        cache = open_model_cache(spec, None, 3, 0)
        cache.staged.freeze(train_tail=False)
        cache.staged.reset(FoldSeed(0, 0, 0))
        model = cache.compiled("head")
        pooled = np.linspace(0, 1, 8 * model.input_shape[1], dtype=np.float32).reshape(8, -1)
        model.train_on_batch(pooled, np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1, 2, 0, 1]])
        return model.get_weights()

    for rebuilt, fresh in zip(step(0.55), step(None), strict=True):
        np.testing.assert_array_equal(rebuilt, fresh)
