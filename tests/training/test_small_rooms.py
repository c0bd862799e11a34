"""Views, draws, events, class weights: the parts that need no framework."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ensemble_kit.models.draws import FoldSeed, draw_epoch, initial_head
from ensemble_kit.models.views import N_VIEWS, view_of
from ensemble_kit.study import TrainingSpec
from ensemble_kit.training.events import EventLog, EventReader
from ensemble_kit.training.fold import class_weights
from ensemble_kit.training.sources import PixelSource, _ahead


def test_the_eight_views_are_the_dihedral_group():
    image = np.arange(25).reshape(1, 5, 5, 1)
    views = [view_of(image, v).tobytes() for v in range(N_VIEWS)]
    assert len(set(views)) == 8
    assert views[0] == image.tobytes()
    for v in range(N_VIEWS):
        for w in range(N_VIEWS):
            assert view_of(view_of(image, v), w).tobytes() in views


def test_no_ninth_view():
    with pytest.raises(ValueError, match=r"not one of 0\.\.7"):
        view_of(np.zeros((1, 2, 2)), 8)


@given(st.integers(0, 2**31), st.integers(0, 9), st.integers(0, 9), st.integers(1, 8))
def test_a_draw_is_a_permutation_and_depends_on_its_names_alone(seed, fold, epoch, views):
    rows = np.arange(5, 40)
    first = draw_epoch(rows, views, FoldSeed(seed, 0, fold), "head", epoch)
    again = draw_epoch(rows, views, FoldSeed(seed, 0, fold), "head", epoch)
    assert np.array_equal(np.sort(first.rows), rows)
    assert np.array_equal(first.rows, again.rows)
    assert np.array_equal(first.views, again.views)
    assert ((first.views >= 0) & (first.views < views)).all()
    other = draw_epoch(rows, views, FoldSeed(seed, 0, fold), "fine_tune", epoch)
    assert not np.array_equal(first.rows, other.rows)


def test_heads_of_two_folds_start_apart_and_within_glorots_bound():
    first, second = (initial_head(128, 7, FoldSeed(0, 0, k)) for k in (0, 1))
    assert not np.array_equal(first, second)
    assert np.abs(first).max() <= np.sqrt(6 / 135)


def test_class_weights_by_hand():
    labels = np.array([0, 0, 0, 1, 2, 2])
    train = np.arange(6)
    balanced = class_weights(labels, train, 3, TrainingSpec(class_weights="balanced"))
    np.testing.assert_allclose(balanced, [6 / 9, 6 / 3, 6 / 6])
    rooted = class_weights(labels, train, 3, TrainingSpec(class_weights=0.5))
    np.testing.assert_allclose(rooted[1] / rooted[0], np.sqrt(3))
    np.testing.assert_allclose(rooted[labels].mean(), 1)
    assert class_weights(labels, train, 3, TrainingSpec()).tolist() == [1, 1, 1]


def test_a_class_absent_from_training_has_no_weight():
    weights = class_weights(np.array([0, 1, 1]), np.array([1, 2]), 2, TrainingSpec(class_weights=1))
    assert weights.tolist() == [0, 1]


def test_pixels_are_drawn_in_the_view_asked_for():
    pixels = np.random.default_rng(0).integers(0, 255, (4, 6, 6, 3)).astype(np.uint8)
    rows, views = np.array([2, 0, 2]), np.array([0, 5, 3])
    drawn = PixelSource(pixels).drawn(rows, views, np.random.default_rng(0))
    for got, row, view in zip(drawn, rows, views, strict=True):
        assert np.array_equal(got, view_of(pixels[row : row + 1], view)[0])


def test_online_colour_stays_in_range_and_repeats():
    pixels = np.random.default_rng(0).integers(0, 255, (8, 6, 6, 3)).astype(np.uint8)
    source, rows, views = PixelSource(pixels, online=True), np.arange(8), np.zeros(8, int)
    first = source.drawn(rows, views, np.random.default_rng(1))
    assert np.array_equal(first, source.drawn(rows, views, np.random.default_rng(1)))
    assert first.min() >= 0
    assert first.max() <= 255
    assert not np.array_equal(first, pixels)


def test_reading_ahead_keeps_the_order_and_passes_errors_on():
    assert list(_ahead(lambda x: x * x, range(5))) == [0, 1, 4, 9, 16]
    with pytest.raises(ZeroDivisionError):
        list(_ahead(lambda x: 1 // x, [1, 0]))


def test_events_arrive_once_and_only_when_whole(tmp_path):
    log, reader = EventLog(tmp_path / "a.jsonl"), EventReader(tmp_path)
    log.emit("epoch", n=1)
    assert reader.new() == [{"kind": "epoch", "n": 1}]
    assert reader.new() == []
    with (tmp_path / "a.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"kind": "half')
    assert reader.new() == []
    with (tmp_path / "a.jsonl").open("a", encoding="utf-8") as file:
        file.write('"}\n')
    assert [event["kind"] for event in reader.new()] == ["half"]
    assert json.loads((tmp_path / "a.jsonl").read_text().splitlines()[0])["n"] == 1


def test_the_peak_of_a_process_is_its_own(tmp_path: Path) -> None:
    """Not that of the larger one that started it, which the system's count keeps over exec."""
    ask = "from ensemble_kit.core.machine import peak_memory; print(peak_memory())"
    large = (
        "import subprocess, sys; held = bytearray(700_000_000)\n"
        f"print(subprocess.run([sys.executable, '-c', {ask!r}], text=True, check=True,\n"
        "    stdout=subprocess.PIPE).stdout)"
    )
    said = subprocess.run(
        [sys.executable, "-c", large], text=True, check=True, stdout=subprocess.PIPE, timeout=120
    ).stdout
    assert 5_000_000 < int(said) < 500_000_000
