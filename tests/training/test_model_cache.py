"""Another dropout or depth rebuilds the head alone; what is replaced is let go."""

import gc
import weakref

import numpy as np
import pytest

from ensemble_kit.models.draws import FoldSeed
from ensemble_kit.training import model_cache
from ensemble_kit.training.model_cache import open_model_cache

keras = pytest.importorskip("keras")


@pytest.mark.parametrize(("setting", "value"), [("dropout", 0.55), ("unfreeze_depth", 1)])
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
