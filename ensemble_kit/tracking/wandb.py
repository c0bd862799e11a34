"""Weights & Biases: a group of runs, written below the working directory, sent on request."""

import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ensemble_kit.tracking.base import Status, TrackedRun

if TYPE_CHECKING:
    import wandb

PROJECT = "ensemble-kit"
EXIT: dict[Status, int] = {"finished": 0, "failed": 1, "killed": 130}


def open_wandb() -> "WandbTracker":
    """Offline, in ``wandb/`` below the working directory (``wandb sync`` sends it), unless
    ``WANDB_MODE`` says otherwise; project ``WANDB_PROJECT`` or "ensemble-kit"."""
    os.environ.setdefault("WANDB_MODE", "offline")
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    import wandb  # noqa: F401  (a broken installation shows here)

    return WandbTracker()


class WandbTracker:
    """Begins runs. W&B has no children: folds and trials are runs of one group, the parent's."""

    def begin(self, name: str, kind: str, parent: TrackedRun | None = None) -> "WandbRun":
        import wandb

        own = f"{name}-{secrets.token_hex(4)}"
        group = parent.group if isinstance(parent, WandbRun) else own
        settings = wandb.Settings(silent=True, console="off", disable_code=True, disable_git=True)
        made = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT), name=name, group=group,
            job_type=kind, reinit="create_new", settings=settings,
        )  # fmt: skip
        return WandbRun(made, group)


class WandbRun:
    """One run; several may be open at a time."""

    def __init__(self, run: "wandb.Run", group: str) -> None:
        self._run, self.group = run, group

    def parameters(self, values: Mapping[str, str]) -> None:
        self._run.config.update(dict(values))

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        if step is None:
            self._run.summary.update(dict(values))
        else:
            self._run.log(dict(values), step=step)

    def artefact(self, path: Path) -> None:
        if path.suffix == ".html":
            import wandb

            self._run.log({path.stem: wandb.Html(path.read_text(encoding="utf-8"), inject=False)})
            return
        copy = Path(self._run.dir) / path.name
        shutil.copyfile(path, copy)
        self._run.save(str(copy), base_path=self._run.dir, policy="end")

    def end(self, status: Status) -> None:
        self._run.finish(exit_code=EXIT[status])
