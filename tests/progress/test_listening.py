"""What `cv` and `tune` say while they train: one way of listening, two displays."""

import io

import pytest
from rich.console import Console

from ensemble_kit.progress import listening, search, training
from ensemble_kit.progress.listening import Listener
from ensemble_kit.progress.search import SearchProgress
from ensemble_kit.progress.training import TrainingProgress
from ensemble_kit.study import StudySpec

EPOCH = {
    "repeat": 0, "fold": 2, "phase": "fine_tune", "epoch": 0, "loss": 0.5, "val_loss": 0.6,
    "val_auc": 0.9, "images_per_second": 40.0,
}  # fmt: skip


def _begun(display: TrainingProgress, spec: StudySpec) -> TrainingProgress:
    display.tell("begin", spec=spec, folds=spec.split.folds)
    return display


def displays(*, quiet: bool = False, bars: bool = False) -> list[Listener]:
    spec = StudySpec()
    return [
        _begun(TrainingProgress(bars=bars, quiet=quiet), spec),
        SearchProgress(spec, bars=bars, quiet=quiet),
    ]


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(listening, "note", said.append)
    return said


def test_both_say_the_same_of_the_same_step(lines: list[str]) -> None:
    for display in displays():
        with display:
            display.tell("filled", images=1234, seconds=5.0)
            display.tell("something nobody knows", fact=1)
    assert lines == ["frozen layers: 1,234 images in 5 s"] * 2


def test_quiet_says_nothing(lines: list[str]) -> None:
    for display in displays(quiet=True):
        with display:
            display.tell("filled", images=1234, seconds=5.0)
    assert lines == []


def test_both_draw_an_epoch_on_a_terminal_with_the_same_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (training, search):
        drawn = io.StringIO()
        console = Console(file=drawn, force_terminal=True, width=160)
        monkeypatch.setattr(module, "progress", console)
        monkeypatch.setattr(listening, "progress", console)
        display = displays(bars=True)[module is search]
        with display:
            display.tell("fold_started", repeat=0, fold=2)
            display.tell("epoch", **EPOCH)
        assert "fold 2" in drawn.getvalue()
        assert "last blocks" in drawn.getvalue()
