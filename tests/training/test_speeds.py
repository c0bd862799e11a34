"""Forecasts rest on rates measured here, or say that they do not."""

import json

import pytest

from ensemble_kit.study import StudySpec
from ensemble_kit.training import speeds
from ensemble_kit.training.speeds import FILE, forecast, rate_of, remember, time_text


def study(**changes):
    model = {"weights": "none", "image_size": 150} | changes.pop("model", {})
    return StudySpec().override({"model": model, "training": changes})


def test_a_rate_is_measured_then_scaled_then_guessed(tmp_path):
    spec = study()
    assert rate_of(tmp_path, spec, "forward").basis == "guessed"
    remember(tmp_path, spec, "forward", 400, 10.0)
    found = rate_of(tmp_path, spec, "forward")
    assert (found.images_per_second, found.basis) == (40.0, "measured")
    larger = rate_of(tmp_path, study(model={"image_size": 300}), "forward")
    assert (larger.images_per_second, larger.basis) == (10.0, "scaled")
    assert rate_of(tmp_path, study(precision="bfloat16"), "forward").basis == "guessed"


def test_a_few_images_are_no_rate(tmp_path):
    remember(tmp_path, study(), "forward", 10, 1.0)
    assert not (tmp_path / FILE).exists()


def test_a_forecast_by_hand(tmp_path):
    spec = study(views=4, fine_tune_epochs=6)
    for work, rate in (("forward", 40), ("head", 400), ("blocks", 100), ("rest", 200)):
        remember(tmp_path, spec, work, 100 * rate, 100.0)
    found = forecast(tmp_path, spec, rows=1000, views=4, passes=4000)
    assert found.basis == "measured"
    assert found.fill_seconds == pytest.approx(100)
    train = 5 * (800 * 4 / 400 + 800 * 6 / 100 + 200 * 4 / 200)
    assert found.train_seconds == pytest.approx(train)
    assert found.told == "about 7 minutes in all, by rates measured on this machine"


def test_the_weakest_basis_is_said(tmp_path):
    spec = study()
    remember(tmp_path, spec, "head", 1000, 1.0)
    remember(tmp_path, spec, "rest", 1000, 1.0)
    remember(tmp_path, spec, "forward", 1000, 1.0)
    assert forecast(tmp_path, spec, 1000, 8, 0).basis == "guessed"
    assert "a guess" in forecast(tmp_path, spec, 1000, 8, 0).told
    remember(tmp_path, study(model={"image_size": 224}), "blocks", 1000, 1.0)
    assert forecast(tmp_path, spec, 1000, 8, 0).basis == "scaled"


@pytest.mark.parametrize(
    "text", ["", "[" * 100_000, '{"version": 1}', '{"version": 1, "rates": {"a": "b"}}', "\x00"]
)
def test_a_damaged_file_is_no_memory_and_is_replaced(tmp_path, text):
    (tmp_path / FILE).write_text(text)
    assert rate_of(tmp_path, study(), "forward").basis == "guessed"
    remember(tmp_path, study(), "forward", 400, 10.0)
    assert len(json.loads((tmp_path / FILE).read_text())["rates"]) == 1


def test_another_processor_has_rates_of_its_own(tmp_path, monkeypatch):
    remember(tmp_path, study(), "forward", 400, 10.0)
    monkeypatch.setattr(speeds, "_machine", lambda: "another × 64")
    assert rate_of(tmp_path, study(), "forward").basis == "guessed"


def test_training_through_the_frozen_layers_is_guessed_slower(tmp_path):
    stored = rate_of(tmp_path, study(), "blocks").images_per_second
    online = rate_of(tmp_path, study(augment="online"), "blocks").images_per_second
    assert online < stored


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "no time"), (1, "about 1 second"), (70, "about 70 seconds"), (600, "about 10 minutes"),
     (7200, "about 2.0 hours")],
)  # fmt: skip
def test_times_in_words(seconds, words):
    assert time_text(seconds) == words
