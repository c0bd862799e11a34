"""Runs written by MLflow itself, into a database of this machine, and read back by its client."""

from pathlib import Path

import pytest

from ensemble_kit.tracking.registry import open_tracking
from tests.tracking.conftest import Trained

mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed: make test-trackers")
pytestmark = pytest.mark.filterwarnings("ignore")


def test_a_run_has_a_child_a_fold_with_epochs_figures_and_the_page(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_DISABLE_TELEMETRY"):
        monkeypatch.delenv(name, raising=False)
    said: list[str] = []
    with open_tracking("mlflow", said.append) as tracked:
        for kind, facts in trained.heard:
            tracked.tell(kind, **facts)
        tracked.finish(trained.run)

    def interrupted() -> None:
        with open_tracking("mlflow", said.append) as stopped:
            for kind, facts in trained.heard[:8]:
                stopped.tell(kind, **facts)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert said == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mlflow.db", "mlruns"]

    client = mlflow.MlflowClient(tracking_uri="sqlite:///mlflow.db")
    experiment = client.get_experiment_by_name("ensemble-kit")
    runs = client.search_runs([experiment.experiment_id], "attributes.status = 'FINISHED'")
    by_name = {run.info.run_name: run for run in runs}
    assert set(by_name) == {"tiny", "fold 0", "fold 1"}
    parent, child = by_name["tiny"], by_name["fold 1"]
    assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert "mlflow.parentRunId" not in parent.data.tags

    assert parent.data.params["model.backbone"] == "compact"
    assert parent.data.params["split.folds"] == "2"
    evaluation = trained.run.evaluation
    for name, class_name, key in (
        ("roc_auc_ovr", "", "roc_auc_ovr"), ("log_loss", "", "log_loss"),
        ("recall", "mel", "mel/recall"),
    ):  # fmt: skip
        estimate = evaluation.figure(name, class_name)
        assert parent.data.metrics[key] == pytest.approx(estimate.value)
        assert parent.data.metrics[f"{key}.low"] == pytest.approx(estimate.low)
        assert parent.data.metrics[f"{key}.high"] == pytest.approx(estimate.high)
    own = evaluation.figure("log_loss", scope="fold 1").value
    assert child.data.metrics["log_loss"] == pytest.approx(own)

    heard = [f["loss"] for k, f in trained.heard if k == "epoch" and f["fold"] == 1]
    history = client.get_metric_history(child.info.run_id, "loss")
    assert [m.value for m in sorted(history, key=lambda m: m.step)] == pytest.approx(heard)
    kept = {file.path for file in client.list_artifacts(parent.info.run_id)}
    assert kept == {"metrics.csv", "study.toml", "tiny.html"}
    page = client.download_artifacts(parent.info.run_id, "tiny.html", str(tmp_path))
    assert "<title>" in Path(page).read_text(encoding="utf-8")

    killed = client.search_runs([experiment.experiment_id], "attributes.status = 'KILLED'")
    assert "tiny" in {run.info.run_name for run in killed}
