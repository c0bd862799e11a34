"""How a search looks while it runs: a table of trials on a terminal, a line a trial elsewhere."""

import time
from collections.abc import Sequence
from typing import Any

from rich.console import Group
from rich.live import Live
from rich.text import Text

from ensemble_kit.core.errors import count
from ensemble_kit.progress.console import progress, wrapped
from ensemble_kit.progress.listening import PHASE_NAMES, Listener, draws
from ensemble_kit.progress.tables import Table, lines_of, table
from ensemble_kit.study import StudySpec
from ensemble_kit.study.space import PARAMETERS, SearchSpec
from ensemble_kit.tuning.sampling import readable
from ensemble_kit.tuning.trials import TrialRecord

ROWS_SHOWN = 30
ENDED = ("COMPLETE", "PRUNED", "FAIL")


class SearchProgress(Listener):
    """Receives what a search tells: a table that grows on a terminal, a line a trial elsewhere."""

    def __init__(self, spec: StudySpec, *, bars: bool, quiet: bool) -> None:
        drawn = bars and draws()
        self._live = Live(console=progress, transient=True) if drawn else None
        super().__init__(self._live, quiet=quiet)
        self._spec = spec
        self._began = time.monotonic()
        self._trials: Sequence[TrialRecord] = ()
        self._now, self._prefix, self._before = "", "", 0

    def _on_fill(self, total: int) -> None:
        self._line(f"frozen layers: {total:,} images to pass, once for all trials of this size")

    def _on_trial_started(self, number: int, spec: StudySpec, params: dict[str, Any]) -> None:
        drawn = ", ".join(f"{k} {v}" for k, v in zip(params, readable(params, params), strict=True))
        self._now = f"trial {number}: {drawn}"
        self._draw()

    def _on_epoch(self, **facts: Any) -> None:
        fold, epoch, loss = facts["fold"], facts["epoch"] + 1, facts["loss"]
        phase = PHASE_NAMES[facts["phase"]]
        self._draw(f"fold {fold}, {phase} epoch {epoch}, loss {loss:.3f}")

    def _on_fold_judged(self, number: int, folds: int, score: float) -> None:
        self._draw(f"{folds} of {self._spec.split.folds} folds, {score:.4f}")

    def _on_trial_ended(self, trials: Sequence[TrialRecord], number: int) -> None:
        self._trials, self._now = trials, ""
        trial = next((t for t in trials if t.number == number), None)
        if trial is None:
            return
        self._line(f"{self._prefix}trial {number}: {_outcome(trial)}; {self._standing()}")
        self._draw()

    def _on_trial_lost(self) -> None:
        self._line("this worker was taken for dead and its trial given to another; going on")

    def _on_outer_fold(self, fold: int, folds: int) -> None:
        self._prefix, self._trials, self._began = f"outer fold {fold}, ", (), time.monotonic()
        self._line(
            f"nested: searching inside the training part of outer fold {fold} ({folds} in all)"
        )

    def _on_outer_judged(self, fold: int, inner: float) -> None:
        self._line(f"nested: outer fold {fold} judged; its inner search reached {inner:.4f}")

    def _standing(self) -> str:
        ended = [t for t in self._trials if t.state in ENDED]
        left = max(0, self._spec.search.trials - len(ended))
        best = _best(self._trials, self._spec.search)
        standing = f"best {best.value:.4f} (trial {best.number})" if best else "none complete yet"
        if not left:
            return standing
        pace = (time.monotonic() - self._began) / max(1, len(ended) - self._before)
        return f"{standing}; {left} to go, about {pace * left / 60:.1f} min"

    def _draw(self, doing: str = "") -> None:
        if self._live:
            drawn = trial_table(self._trials[-ROWS_SHOWN:], self._spec.search, self._standing())
            drawn.spare = range(5, len(drawn.heads))
            drawn.kept_in = "shown when the search has ended"
            now = " · ".join(part for part in (self._now, doing) if part)
            lines = lines_of(drawn, progress.width)
            self._live.update(Group(*lines, Text(wrapped(now, progress.width))))


def trial_table(trials: Sequence[TrialRecord], search: SearchSpec, title: str) -> Table:
    """A row a trial: state, score, best so far, parameters."""
    names = [name for name in PARAMETERS if name in search.space]
    columns = ["trial", "state", search.metric, "best so far", "s", *names]
    if search.cost:
        columns.insert(4, "ms/image")
    drawn = table(*columns, title=title, left=[1])
    best: float | None = None
    pick = min if search.metric == "log_loss" else max
    for trial in trials:
        if trial.state == "WAITING":
            continue
        if trial.state == "COMPLETE" and trial.value is not None:
            best = trial.value if best is None else pick(best, trial.value)
        state = trial.state.lower()
        if trial.pruned_after is not None:
            state = f"pruned after {trial.pruned_after}"
        row = [
            str(trial.number),
            state,
            "–" if trial.value is None else f"{trial.value:.4f}",
            "–" if best is None else f"{best:.4f}",
            "–" if trial.seconds is None else f"{trial.seconds:.0f}",
            *readable(trial.params, names),
        ]
        if search.cost:
            row.insert(4, "–" if trial.cost is None else f"{trial.cost:.1f}")
        drawn.add_row(*row)
    return drawn


def _outcome(trial: TrialRecord) -> str:
    score = "" if trial.value is None else f" at {trial.value:.4f}"
    took = "" if trial.seconds is None else f" in {trial.seconds:.0f} s"
    if trial.state == "PRUNED":
        return f"pruned after {count(trial.pruned_after or 0, 'fold')}{score}{took}"
    if trial.state == "FAIL":
        return f"failed ({trial.failure})"
    return f"{trial.state.lower()}{score}{took}"


def _best(trials: Sequence[TrialRecord], search: SearchSpec) -> TrialRecord | None:
    sign = 1 if search.metric == "log_loss" else -1
    complete = [t for t in trials if t.state == "COMPLETE" and t.value is not None]
    return min(complete, key=lambda t: sign * (t.value or 0.0), default=None)
