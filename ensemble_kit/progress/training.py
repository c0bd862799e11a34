"""How training looks while it runs: bars on a terminal, a plain line an epoch elsewhere."""

import time
from collections.abc import Sequence
from typing import Any

from rich.progress import Progress, TextColumn

from ensemble_kit.core.errors import count
from ensemble_kit.core.wording import rate_text, size_text
from ensemble_kit.progress.console import progress
from ensemble_kit.progress.listening import PHASE_NAMES, Listener, bar_columns, draws
from ensemble_kit.study import StudySpec
from ensemble_kit.training.speeds import time_text

LABEL_WIDTH = 20
BESIDE = 37
"""Columns of label, count, time and the gaps between them; the bar comes on top."""


class TrainingProgress(Listener):
    """Receives what :func:`cross_validate` tells."""

    def __init__(self, *, bars: bool = True, quiet: bool = False) -> None:
        self._epochs, self._head_epochs, self._folds = 0, 0, 0
        self._bars = self._new_bars() if bars and draws() else None
        super().__init__(self._bars, quiet=quiet)
        self._tasks: dict[str, Any] = {}
        self._last_line = 0.0

    def _on_begin(self, spec: StudySpec, folds: int, name: str = "") -> None:
        fine = spec.training.fine_tune_epochs if spec.model.unfreeze_depth else 0
        self._head_epochs = 1 if spec.training.head == "probe" else spec.training.head_epochs
        self._epochs = self._head_epochs + fine
        self._folds = folds

    def _new_bars(self) -> Progress:
        return Progress(
            *bar_columns(label_width=LABEL_WIDTH),
            TextColumn("{task.fields[told]}", style="dim"),
            console=progress,
            transient=True,
        )

    def _on_pixels(self, total: int) -> None:
        self._line(f"pixels: {total:,} images, decoded once")
        self._begin("pixels", "decoding images", total)

    def _on_pixels_step(self, n: int) -> None:
        self._advance("pixels", n)

    def _on_plan(self, plan: Any) -> None:
        self._end("pixels")
        for sentence in plan.notes:
            self._line(sentence)
        if plan.keys:
            there = "all there" if not plan.passes else f"{time_text(plan.seconds)} to compute"
            size = size_text(plan.total_bytes)
            self._line(f"activations: {size}, {count(plan.views, 'view')}, {there}")

    def _on_fill(self, total: int) -> None:
        self._begin("fill", "frozen layers, once", total)
        self._filled, self._fill_total, self._fill_began = 0, total, time.monotonic()

    def _on_fill_step(self, n: int) -> None:
        self._advance("fill", n)
        self._filled += n
        now = time.monotonic()
        if not self._bars and now - self._last_line > 30:
            self._last_line = now
            rate = self._filled / (now - self._fill_began)
            self._line(f"  {self._filled:,} of {self._fill_total:,} images, {rate_text(rate)}")

    def _on_filled(self, images: int, seconds: float) -> None:
        self._end("fill")
        super()._on_filled(images, seconds)

    def _on_forecast(self, times: Any) -> None:
        self._line(f"folds: {times.told}")

    def _on_fold_started(self, repeat: int, fold: int) -> None:
        if "folds" not in self._tasks:
            self._begin("folds", "folds", self._folds)
        self._begin(f"fold {repeat} {fold}", f"  fold {fold}{_of(repeat)}", self._epochs)

    def _on_fold_kept(self, repeat: int, fold: int) -> None:
        self._line(f"fold {fold}{_of(repeat)}: finished before, kept")
        if "folds" not in self._tasks:
            self._begin("folds", "folds", self._folds)
        self._advance("folds", 1)

    def _on_epoch(self, **facts: Any) -> None:
        val_loss = facts["val_loss"]
        told = [f"loss {facts['loss']:.3f}"]
        if val_loss is not None:
            told.append(f"validation loss {val_loss:.3f}")
        if facts["val_auc"] is not None:
            told.append(f"AUC {facts['val_auc']:.3f}")
        told.append(rate_text(facts["images_per_second"]))
        phase, repeat, fold = PHASE_NAMES[facts["phase"]], facts["repeat"], facts["fold"]
        done = facts["epoch"] + 1 + (self._head_epochs if facts["phase"] != "head" else 0)
        name = f"fold {repeat} {fold}"
        if self._bars and name in self._tasks:
            self._bars.update(self._tasks[name], completed=done, told=_fitting(phase, told))
        else:
            epoch = facts["epoch"] + 1
            self._line(f"fold {fold}{_of(repeat)} {phase} epoch {epoch}: {'  '.join(told)}")

    def _on_fold_done(self, repeat: int, fold: int) -> None:
        self._end(f"fold {repeat} {fold}")
        self._advance("folds", 1)

    def _on_evaluating(self) -> None:
        self._end("folds")
        self._line("figures and intervals")

    def _begin(self, name: str, label: str, total: int) -> None:
        if self._bars:
            self._end(name)
            self._tasks[name] = self._bars.add_task(label, total=total, told="")

    def _advance(self, name: str, n: int) -> None:
        if self._bars and name in self._tasks:
            self._bars.advance(self._tasks[name], n)

    def _end(self, name: str) -> None:
        if self._bars and name in self._tasks:
            self._bars.remove_task(self._tasks.pop(name))


def _fitting(phase: str, told: Sequence[str]) -> str:
    """As many of the figures as there is room for beside a bar."""
    room = progress.width - BESIDE - min(28, max(4, progress.width - 60))
    text = f"{phase}: {told[0]}"
    for more in told[1:]:
        if len(text) + 2 + len(more) <= room:
            text += f"  {more}"
    return text if len(text) <= room else ""


def _of(repeat: int) -> str:
    return f" of repeat {repeat}" if repeat else ""
