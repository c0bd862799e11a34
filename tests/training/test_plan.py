"""The plan: sizes said beforehand, a sensible choice when they do not fit."""

import pytest

from ensemble_kit.core.errors import StoreError
from ensemble_kit.study import StudySpec
from ensemble_kit.training import plan as planning
from ensemble_kit.training.plan import PixelFacts, plan_stores

N = 1000
POOLED = N * 2048 * 4
CUT = N * 9 * 9 * 728 * 2


def plan(limit=1e12, depths=None, store="store", **training):
    model = {"image_size": 150, "weights": "none", "unfreeze_depth": training.pop("depth", 2)}
    spec = StudySpec().override({"model": model, "training": training})
    from pathlib import Path

    return plan_stores(spec, PixelFacts("p", N), "w", Path(store), limit, depths)


def test_sizes_by_hand(tmp_path):
    found = plan(views=4, store=tmp_path / "s")
    assert found.total_bytes == 4 * POOLED + (4 + 1) * CUT == found.missing_bytes
    assert (found.views, found.fine_tune, found.passes, found.notes) == (4, "store", 4 * N, ())
    assert [key.depth for key in found.keys] == [0, 2]
    exact = plan(views=4, store_dtype="float32", store=tmp_path / "s")
    assert exact.total_bytes == 4 * POOLED + 4 * 2 * CUT


@pytest.mark.parametrize(("room", "views"), [(4, 4), (3.5, 3), (2, 2), (1.2, 1)])
def test_fewer_views_when_they_do_not_fit_and_it_is_said(room, views):
    limit = room * POOLED + (room + 1) * CUT
    found = plan(limit=limit, views=4)
    assert found.views == views
    assert found.total_bytes <= limit
    assert bool(found.notes) == (views < 4)
    assert all(f"{views} of 4 views" in note for note in found.notes)


def test_the_last_blocks_train_from_pixels_when_one_view_is_too_many():
    found = plan(limit=4 * POOLED + 1, views=4)
    assert (found.fine_tune, found.views) == ("pixels", 4)
    assert [key.depth for key in found.keys] == [0]
    assert "train from pixels" in found.notes[0]


def test_not_even_features_fit():
    with pytest.raises(StoreError, match=r"--store-limit or fewer --views"):
        plan(limit=POOLED, views=4)


def test_a_full_disk_is_said_before_anything_is_written(monkeypatch, tmp_path):
    class Usage:
        free = 1000

    monkeypatch.setattr(planning.shutil, "disk_usage", lambda place: Usage)
    with pytest.raises(StoreError, match="free some space"):
        plan(store=tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_online_augmentation_and_a_fully_trained_base_bypass_the_store():
    online = plan(augment="online")
    assert (online.keys, online.fine_tune, online.passes) == ((), "pixels", 0)
    everything = plan(depth=14, augment="none")
    assert [key.depth for key in everything.keys] == [0]
    assert everything.fine_tune == "pixels"


def test_a_head_alone_needs_features_alone():
    found = plan(depth=0, augment="none")
    assert ([key.depth for key in found.keys], found.fine_tune) == ([0], "none")


def test_several_trials_share_one_pass():
    found = plan(depths=(0, 1, 2), augment="none")
    assert [key.depth for key in found.keys] == [0, 1, 2]
    assert found.passes == N


def test_a_processor_without_bfloat16_is_told_of(tmp_path, monkeypatch):
    from ensemble_kit.core import machine

    cpu = tmp_path / "cpuinfo"
    for flags, has in (("fpu avx2 avx512f", False), ("fpu avx2 avx512_bf16", True), ("", True)):
        cpu.write_text(f"flags : {flags}\n")
        assert machine.multiplies_bfloat16(cpu) is has
    assert machine.multiplies_bfloat16(tmp_path / "absent")
    monkeypatch.setattr(planning, "multiplies_bfloat16", lambda: False)
    assert any("no instructions for bfloat16" in n for n in plan(precision="bfloat16").notes)
    assert not plan(precision="float32").notes
