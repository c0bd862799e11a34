"""MLflow: runs with child runs, in a file of this machine unless a server is named."""

import logging
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ensemble_kit.tracking.base import Status, TrackedRun

if TYPE_CHECKING:
    from mlflow import MlflowClient

DATABASE = "sqlite:///mlflow.db"
EXPERIMENT = "ensemble-kit"
STATUS: dict[Status, str] = {"finished": "FINISHED", "failed": "FAILED", "killed": "KILLED"}
LONGEST, AT_ONCE = 6000, 100
"""Characters of a parameter's value, and parameters a call, that every MLflow store takes."""


def open_mlflow() -> "MlflowTracker":
    """Where ``MLFLOW_TRACKING_URI`` says, else ``mlflow.db`` and ``mlruns`` below the working
    directory; experiment ``MLFLOW_EXPERIMENT_NAME`` or "ensemble-kit". MLflow's own reports of
    use to its makers are switched off unless the environment says otherwise."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow import MlflowClient

    for chatty in ("mlflow", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    address = os.environ.get("MLFLOW_TRACKING_URI", DATABASE)
    client = MlflowClient(tracking_uri=address)
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME", EXPERIMENT)
    known = client.get_experiment_by_name(name)
    place = Path("mlruns").absolute().as_uri() if address == DATABASE else None
    number = known.experiment_id if known else client.create_experiment(name, place)
    return MlflowTracker(client, number)


class MlflowTracker:
    """Begins runs in one experiment."""

    def __init__(self, client: "MlflowClient", experiment: str) -> None:
        self._client, self._experiment = client, experiment

    def begin(self, name: str, kind: str, parent: TrackedRun | None = None) -> "MlflowRun":
        tags = {"ensemble_kit.kind": kind}
        if isinstance(parent, MlflowRun):
            tags["mlflow.parentRunId"] = parent.number
        made = self._client.create_run(self._experiment, tags=tags, run_name=name)
        return MlflowRun(self._client, made.info.run_id)


class MlflowRun:
    """One run by its id; several may be open at a time."""

    def __init__(self, client: "MlflowClient", number: str) -> None:
        self._client, self.number = client, number

    def parameters(self, values: Mapping[str, str]) -> None:
        from mlflow.entities import Param

        params = [Param(_key(name), value[:LONGEST]) for name, value in values.items()]
        for first in range(0, len(params), AT_ONCE):
            self._client.log_batch(self.number, params=params[first : first + AT_ONCE])

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = [Metric(_key(name), value, now, step or 0) for name, value in values.items()]
        for first in range(0, len(metrics), 10 * AT_ONCE):
            self._client.log_batch(self.number, metrics=metrics[first : first + 10 * AT_ONCE])

    def artefact(self, path: Path) -> None:
        self._client.log_artifact(self.number, str(path))

    def end(self, status: Status) -> None:
        self._client.set_terminated(self.number, STATUS[status])


def _key(name: str) -> str:
    """MLflow's names: letters, digits and ``_ - . / :`` and spaces."""
    return re.sub(r"[^\w\-./: ]", "_", name)
