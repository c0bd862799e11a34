"""Stores: what is written is read, damage is noticed, any history ends with the same bytes."""

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock, Timeout

from ensemble_kit.core.errors import StoreError
from ensemble_kit.models.staged import build_staged
from ensemble_kit.stores import activation_filling as filling
from ensemble_kit.stores.activation_filling import fill_stores
from ensemble_kit.stores.activations import ActivationKey, open_store, split_parts
from ensemble_kit.stores.locks import filling_store

pytest.importorskip("keras")
N = 45


def key(depth, dtype="float16", staged=None, shape=None):
    shape = shape or staged.backbone.cut_shape(48, depth)
    return ActivationKey("p", "compact", "s", "w", "tensorflow", "float32", depth, dtype, shape, N)


@pytest.fixture(scope="module")
def staged(spec):
    return build_staged(spec.model, None, 3, 0)


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(3).integers(0, 255, (N, 48, 48, 3)).astype(np.uint8)


def filled(folder, staged, pixels, views=2, dtype="float16", depths=(0, 2)):
    stores = [open_store(folder, key(d, "float32" if d == 0 else dtype, staged)) for d in depths]
    report = fill_stores(staged, stores, pixels, views)
    return stores, report


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("view_*.*"))
        if path.suffix in (".float16", ".float32")
    }


def test_rows_are_what_the_network_computes(tmp_path, staged, pixels):
    (pooled, cut), _ = filled(tmp_path, staged, pixels)
    expected = staged.outputs_at((0, 2)).predict(pixels, verbose=0)
    rows = np.array([7, 3, 44, 3])
    np.testing.assert_allclose(pooled.read_exact(rows), expected[0][rows], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(cut.read_exact(rows), expected[1][rows], rtol=1e-5, atol=1e-6)
    rounded = cut.read(rows, np.zeros(4, int))
    assert rounded.dtype == np.float16
    np.testing.assert_allclose(rounded, expected[1][rows], rtol=1e-3, atol=1e-4)
    turned = staged.outputs_at((0, 2)).predict(pixels[:, :, ::-1], verbose=0)
    np.testing.assert_allclose(
        cut.read(rows, np.ones(4, int)), turned[1][rows], rtol=2e-3, atol=1e-3
    )


def test_the_second_half_restores_float32_precision(staged):
    values = np.random.default_rng(0).normal(0, 3, (4, 6, 6, 64)).astype(np.float32)
    from ensemble_kit.stores.activations import ActivationStore

    parts = split_parts(ActivationStore(Path(), key(2, staged=staged)), 0, values)
    assert set(parts) == {"high", "low"}
    exact = parts["high"].astype(np.float32) + parts["low"]
    assert np.abs(exact - values).max() < 4e-6 * np.abs(values).max()


def test_a_value_beyond_float16_is_refused(staged):
    from ensemble_kit.stores.activations import ActivationStore

    values = np.full((1, 6, 6, 64), 1e6, np.float32)
    with pytest.raises(StoreError, match="store_dtype = 'float32'"):
        split_parts(ActivationStore(Path(), key(2, staged=staged)), 0, values)


def test_a_second_fill_computes_nothing(tmp_path, staged, pixels):
    _, first = filled(tmp_path, staged, pixels)
    before = contents(tmp_path)
    _, second = filled(tmp_path, staged, pixels)
    assert (first.computed, second.computed, second.derived) == (2 * N, 0, 0)
    assert contents(tmp_path) == before


def test_more_views_add_to_what_is_there(tmp_path, staged, pixels):
    filled(tmp_path, staged, pixels, views=1)
    _, report = filled(tmp_path, staged, pixels, views=3)
    assert report.computed == 2 * N
    whole = tmp_path / "whole"
    filled(whole, staged, pixels, views=3)
    assert list(contents(tmp_path / "activations").values()) == list(
        contents(whole / "activations").values()
    )


@pytest.mark.parametrize("stop_after", [1, 2])
def test_an_interrupted_fill_continues_and_ends_with_the_same_bytes(
    tmp_path, staged, pixels, monkeypatch, stop_after
):
    filled(tmp_path / "one go", staged, pixels)
    monkeypatch.setattr(filling, "SYNC_EVERY", 1)
    steps = []

    def stop(n):
        steps.append(n)
        if len(steps) > stop_after:
            raise KeyboardInterrupt

    stores = [
        open_store(tmp_path / "two", key(d, t, staged)) for d, t in ((0, "float32"), (2, "float16"))
    ]
    with pytest.raises(KeyboardInterrupt):
        fill_stores(staged, stores, pixels, 2, on_progress=stop)
    again = []
    fill_stores(staged, stores, pixels, 2, on_progress=again.append)
    assert sum(again) < 2 * N
    assert contents(tmp_path / "two") == contents(tmp_path / "one go")


def test_views_that_another_process_fills_are_left_to_it_and_waited_for(tmp_path, staged, pixels):
    expected = filled(tmp_path / "one", staged, pixels)[0][0].folder.parent
    (pooled, cut) = (open_store(tmp_path / "two", key(d, t, staged))
                     for d, t in ((0, "float32"), (2, "float16")))  # fmt: skip
    other = FileLock(cut.folder / ".view_0.lock")
    with ThreadPoolExecutor(1) as pool, other:
        report = pool.submit(fill_stores, staged, [pooled, cut], pixels, 2)
        limit = time.monotonic() + 60
        while not cut.ready(1):
            assert time.monotonic() < limit
            time.sleep(0.02)
        assert not cut.done_path(0).exists()
        assert not report.done()
        other.release()
        assert report.result().computed == 2 * N
    assert contents(tmp_path / "two/activations") == contents(expected)


def test_a_store_is_not_removed_while_it_is_filled(tmp_path, staged, pixels):
    (_, cut), _ = filled(tmp_path, staged, pixels)
    with filling_store(cut.folder), pytest.raises(Timeout):
        FileLock(cut.folder / "lock", blocking=False).acquire()
    FileLock(cut.folder / "lock", blocking=False).acquire()


def test_a_later_cut_is_computed_from_an_earlier_exact_one(tmp_path, staged, pixels):
    filled(tmp_path, staged, pixels, depths=(2,), dtype="float32")
    later = open_store(tmp_path, key(1, "float32", staged))
    earlier = open_store(tmp_path, key(2, "float32", staged))
    report = fill_stores(staged, [later], pixels, 2, related=[earlier])
    assert (report.computed, report.derived) == (0, 2 * N)
    filled(tmp_path / "direct", staged, pixels, depths=(1,), dtype="float32")
    derived = {k: v for k, v in contents(tmp_path).items() if later.folder.name in k}
    direct = contents(tmp_path / "direct")
    assert list(derived.values())[:2] == list(direct.values())


def test_a_rounded_earlier_cut_is_no_source(tmp_path, staged, pixels):
    """What a key holds may not depend on what was there before."""
    filled(tmp_path, staged, pixels, depths=(2,))
    later = open_store(tmp_path, key(1, staged=staged))
    report = fill_stores(
        staged, [later], pixels, 2, related=[open_store(tmp_path, key(2, staged=staged))]
    )
    assert (report.computed, report.derived) == (2 * N, 0)


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[1000] ^= 0xFF
    path.write_bytes(bytes(content))


@pytest.mark.parametrize(
    "damage",
    [
        flip_a_byte,
        lambda path: path.write_bytes(path.read_bytes()[:-7]),
        lambda path: path.unlink(),
    ],
    ids=["flipped", "cut short", "missing"],
)
def test_damage_is_noticed_and_mended(tmp_path, staged, pixels, damage):
    (_, cut), _ = filled(tmp_path, staged, pixels)
    before = contents(tmp_path)
    assert cut.ready(1)
    damage(cut.path(1, "high"))
    assert not cut.ready(1)
    assert cut.ready(0)
    _, report = filled(tmp_path, staged, pixels)
    assert report.computed == N
    assert contents(tmp_path) == before


def test_a_touched_but_whole_file_is_kept(tmp_path, staged, pixels):
    (_, cut), _ = filled(tmp_path, staged, pixels)
    os.utime(cut.path(0, "high"), ns=(1, 1))
    assert cut.ready(0, mend=True)
    assert json.loads(cut.done_path(0).read_text())["stamps"]["high"][1] == 1


def test_a_foreign_folder_is_refused(tmp_path, staged):
    store = open_store(tmp_path, key(2, staged=staged))
    (store.folder / "meta.json").write_text("{}")
    with pytest.raises(StoreError, match="not a store of this program"):
        open_store(tmp_path, key(2, staged=staged))


def test_the_key_is_all_that_matters(staged):
    base = key(2, staged=staged)
    others = [key(1, staged=staged), key(2, "float32", staged)]
    assert len({k.digest for k in [base, *others]}) == 3
    assert base.digest == key(2, staged=staged).digest
    assert base.total_bytes(3) == N * 6 * 6 * 64 * 2 * 4
