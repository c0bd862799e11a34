"""Bars and the table of a running search fit their terminal; no number is cut."""

import io
import re

import pytest
from rich.console import Console

from ensemble_kit.progress import bars, listening, search, training
from ensemble_kit.study import StudySpec
from ensemble_kit.tuning.trials import TrialRecord


def terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    file = io.StringIO()
    made = Console(file=file, width=width, height=50, force_terminal=True, color_system=None)
    for room in (listening, search, training):
        monkeypatch.setattr(room, "progress", made)
    return file


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_an_epoch_beside_its_bar(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    file = terminal(width, monkeypatch)
    with training.TrainingProgress() as shown:
        shown.tell("begin", spec=StudySpec(), folds=5)
        shown.tell("fold_started", repeat=0, fold=3)
        shown.tell("epoch", phase="fine_tune", repeat=0, fold=3, epoch=1, loss=0.51234,
                   val_loss=0.61234, val_auc=0.91234, images_per_second=213.0)  # fmt: skip
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "\n", file.getvalue()).replace("\r", "\n")
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    assert set(re.findall(r"\d\.\d+", text)) <= {"0.512", "0.612", "0.912"}
    assert ("0.512" in text) is (width >= 80)
    assert ("0.612" in text) is (width >= 120)


@pytest.mark.parametrize("width", [40, 80])
def test_a_running_search(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    file = terminal(width, monkeypatch)
    space = {name: {"low": 0.0, "high": 0.5} for name in ("dropout", "label_smoothing")} | {
        "class_weights": {"low": 0.1, "high": 1.0}, "fine_tune_lr": {"low": 1e-5, "high": 1e-2},
    }  # fmt: skip
    params = {"dropout": 0.25, "label_smoothing": 0.05, "class_weights": 0.5, "fine_tune_lr": 0.001}
    spec = StudySpec().override({"search": {"space": space}})
    with search.SearchProgress(spec, bars=True, quiet=False) as shown:
        trials = [TrialRecord(0, "COMPLETE", 1.55431, params, seconds=841.0)]
        shown.tell("trial_ended", trials=trials, number=0)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "\n", file.getvalue()).replace("\r", "\n")
    assert not re.search(r"\w…", text), "something was cut"
    assert "1.5543" in text
    assert "log_loss" in text
    assert max(map(len, text.splitlines())) <= width


def test_without_a_terminal_long_work_says_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = [0.0]
    monkeypatch.setattr(bars.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(bars, "draws", lambda: False)
    with bars.Bar("predicting") as shown:
        shown.tell("begin", total=2_000)
        for _ in range(4):
            clock[0] += bars.LINE_SECONDS / 2
            shown.tell("step", n=400)
    assert capsys.readouterr().err.splitlines() == [
        "predicting: 800 of 2,000",
        "predicting: 1,600 of 2,000",
    ]
    with bars.Bar("predicting", show=False) as shown:
        shown.tell("begin", total=2)
        clock[0] += 100
        shown.tell("step", n=1)
    assert capsys.readouterr().err == ""
