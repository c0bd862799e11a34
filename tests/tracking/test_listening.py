"""What a tracker is told of a training, a resumed one, a search; and what happens when it fails."""

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ensemble_kit.core.errors import EnsembleKitError, RunError
from ensemble_kit.runs.folds import read_history
from ensemble_kit.runs.paths import fold_folder
from ensemble_kit.study import StudySpec
from ensemble_kit.tracking import registry
from ensemble_kit.tracking.listening import Tracking, parameters_of
from ensemble_kit.tracking.registry import open_tracking
from tests.tracking.conftest import Trained


@dataclass
class Noted:
    """A run that remembers what it is told."""

    name: str
    kind: str
    parent: Any
    told: dict[str, str] = field(default_factory=dict)
    steps: list[tuple[int | None, dict[str, float]]] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    ended: str = ""

    def parameters(self, values: Any) -> None:
        assert not set(values) & set(self.told), "a parameter is given once"
        self.told |= dict(values)

    def metrics(self, values: Any, step: int | None = None) -> None:
        self.steps.append((step, dict(values)))

    def artefact(self, path: Path) -> None:
        assert path.is_file()
        self.files.append(path.name)

    def end(self, status: str) -> None:
        assert not self.ended
        self.ended = status

    @property
    def final(self) -> dict[str, float]:
        return {k: v for step, values in self.steps if step is None for k, v in values.items()}


class Notebook:
    def __init__(self) -> None:
        self.runs: list[Noted] = []

    def begin(self, name: str, kind: str, parent: Any = None) -> Noted:
        self.runs.append(Noted(name, kind, parent))
        return self.runs[-1]

    def named(self, name: str) -> Noted:
        return next(run for run in self.runs if run.name == name)


def no_warning(sentence: str) -> None:
    raise AssertionError(sentence)


def test_a_training_is_a_run_with_a_child_a_fold(trained: Trained) -> None:
    kept = Notebook()
    with Tracking(kept, no_warning) as tracked:
        for kind, facts in trained.heard:
            tracked.tell(kind, **facts)
        during = [len(run.steps) for run in kept.runs]
        tracked.finish(trained.run)
    assert [(run.name, run.kind, run.ended) for run in kept.runs] == [
        ("tiny", "cv", "finished"), ("fold 0", "fold", "finished"), ("fold 1", "fold", "finished"),
    ]  # fmt: skip
    assert during[0] == 0
    assert min(during[1:]) > 0, "epochs are told as they come"
    parent, child = kept.runs[0], kept.runs[1]
    assert child.parent is parent
    assert parent.told["training.fine_tune_epochs"] == "2"
    auc = trained.run.evaluation.figure("roc_auc_ovr")
    assert parent.final["roc_auc_ovr"] == auc.value
    assert (parent.final["roc_auc_ovr.low"], parent.final["roc_auc_ovr.high"]) == (
        auc.low,
        auc.high,
    )
    assert parent.files == ["study.toml", "metrics.csv", "tiny.html"]
    of_fold = trained.run.evaluation.figure("accuracy", scope="fold 0").value
    assert child.final["accuracy"] == of_fold
    steps = [step for step, _ in child.steps if step is not None]
    assert steps == list(range(len(steps)))


def test_a_resumed_run_tells_the_epochs_it_trained_before(trained: Trained) -> None:
    live, again = Notebook(), Notebook()
    for kept, heard in ((live, trained.heard), (again, resumed(trained))):
        with Tracking(kept, no_warning) as tracked:
            for kind, facts in heard:
                tracked.tell(kind, **facts)
            tracked.finish(trained.run)
    for name in ("fold 0", "fold 1"):
        told = [[v["loss"] for s, v in n.named(name).steps if s is not None] for n in (live, again)]
        assert told[0] == pytest.approx(told[1], rel=1e-6)
        assert told[0]


def resumed(trained: Trained) -> list[tuple[str, dict[str, Any]]]:
    begun = next(step for step in trained.heard if step[0] == "begin")
    return [begun, *(("fold_kept", {"repeat": 0, "fold": k}) for k in range(2))]


def test_epochs_of_a_variant_are_not_taken_for_the_folds_own(trained: Trained) -> None:
    epoch = next(facts for kind, facts in trained.heard if kind == "epoch")
    kept = Notebook()
    with Tracking(kept, no_warning) as tracked:
        for kind, facts in resumed(trained):
            tracked.tell(kind, **facts)
        tracked.tell("epoch", **epoch)
    assert kept.named(f"fold {epoch['fold']}").steps == []
    kept = Notebook()
    with Tracking(kept, no_warning) as tracked:
        tracked.tell(*[resumed(trained)[0][0]], **resumed(trained)[0][1])
        tracked.tell("epoch", **epoch)
        tracked.tell("epoch", **epoch | {"job": "of a fraction"})
    assert len(kept.named(f"fold {epoch['fold']}").steps) == 1


def test_a_fold_begun_anew_tells_its_epochs_once(trained: Trained) -> None:
    kept = Notebook()
    with Tracking(kept, no_warning) as tracked:
        for kind, facts in trained.heard:
            tracked.tell(kind, **facts)
            if kind == "epoch":
                tracked.tell(kind, **facts)
        tracked.finish(trained.run)
    for k in range(2):
        told = [s for s, _ in kept.named(f"fold {k}").steps if s is not None]
        assert len(told) == len(read_history(fold_folder(trained.run.folder, 0, k)))


def test_where_a_study_runs_is_not_told() -> None:
    study = StudySpec().override({"cluster": {"executor": "dask", "address": "tls://h:1"}})
    assert not [name for name in parameters_of(study) if name.startswith("cluster")]
    assert "model.backbone" in parameters_of(study)


def test_a_search_is_a_run_with_a_child_a_trial(tmp_path: Path) -> None:
    spec = StudySpec()
    best = tmp_path / "best.toml"
    best.write_text("", encoding="utf-8")
    kept = Notebook()
    with Tracking(kept, no_warning) as tracked:
        tracked.tell("planned", plan=SimpleNamespace(study=spec), name="wide")
        tracked.tell("fold_started", repeat=0, fold=0)
        tracked.tell("epoch", fold=0, repeat=0, epoch=0, loss=1.0, job="x")
        tracked.tell("fold_done", repeat=0, fold=0)
        trials = []
        for number, state in enumerate(("COMPLETE", "PRUNED", "FAIL")):
            tracked.tell("trial_started", number=number, spec=spec, params={"dropout": 0.1})
            tracked.tell("fold_judged", number=number, folds=1, score=0.5)
            value = 0.5 if state == "COMPLETE" else None
            trials.append(SimpleNamespace(number=number, state=state, value=value, seconds=1.0))
            tracked.tell("trial_ended", trials=trials, number=number)
        tracked.finish_search(
            SimpleNamespace(result=SimpleNamespace(best=trials[0]), study_file=best)  # type: ignore[arg-type]
        )
    assert [(run.name, run.ended) for run in kept.runs] == [
        ("wide", "finished"), ("trial 0", "finished"), ("trial 1", "finished"),
        ("trial 2", "failed"),
    ]  # fmt: skip
    trial = kept.runs[1]
    assert trial.told == {"dropout": "0.1", "state": "complete"}
    assert trial.steps[0] == (1, {"score": 0.5})
    assert trial.final == {"value": 0.5, "seconds": 1.0}
    assert kept.runs[0].final == {"best_value": 0.5, "best_trial": 0.0}
    assert kept.runs[0].files == ["best.toml"]


def test_a_tracker_that_fails_is_given_up_and_the_work_goes_on(trained: Trained) -> None:
    class Full(Notebook):
        def begin(self, name: str, kind: str, parent: Any = None) -> Noted:
            if parent is not None:
                raise ConnectionError("no route to host")
            return super().begin(name, kind)

    said: list[str] = []
    with Tracking(Full(), said.append) as tracked:
        for kind, facts in trained.heard:
            tracked.tell(kind, **facts)
        tracked.finish(trained.run)
    assert len(said) == 1
    assert "no route to host" in said[0]
    assert "the work goes on" in said[0]


@pytest.mark.parametrize(("error", "status"), [(KeyboardInterrupt, "killed"), (RunError, "failed")])
def test_what_ends_early_is_marked_so(trained: Trained, error: type, status: str) -> None:
    kept = Notebook()

    def stop() -> None:
        with Tracking(kept, no_warning) as tracked:
            for kind, facts in resumed(trained):
                tracked.tell(kind, **facts)
            raise error("stopped")

    with pytest.raises(error):
        stop()
    assert {run.ended for run in kept.runs} == {status}


class TestOpening:
    def test_an_unknown_tracker_is_refused_with_the_known_ones(self) -> None:
        with pytest.raises(EnsembleKitError, match="give mlflow or wandb"):
            open_tracking("neptune", no_warning)

    @pytest.mark.parametrize("name", registry.TRACKERS)
    def test_a_missing_package_is_refused_with_the_command_that_installs_it(
        self, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(registry, "find_spec", lambda package: None)
        with pytest.raises(EnsembleKitError) as found:
            open_tracking(name, no_warning)
        assert f"pip install 'ensemble-kit[{name}]'" in str(found.value)
        assert "\n" not in str(found.value)

    @pytest.mark.parametrize("command", ["cv", "tune", "ensemble"])
    def test_commands_refuse_it_before_any_work(
        self, command: str, tmp_path: Path, project: Path
    ) -> None:
        words = {"cv": ["--data", "sample"], "tune": ["--data", "sample", "--study",
                 str(project / "studies/sample.toml")], "ensemble": ["no such run"]}  # fmt: skip
        done = subprocess.run(
            [sys.executable, str(project / "cli.py"), command, *words[command],
             "--track", "neptune"],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 2
        assert done.stderr.strip() == "error: --track 'neptune': give mlflow or wandb"
        assert list(tmp_path.iterdir()) == []

    def test_nothing_of_a_tracker_is_imported_when_none_is_asked_for(self) -> None:
        code = (
            "import sys; from ensemble_kit.tracking.registry import open_tracking; "
            "open_tracking(None, print).tell('epoch', loss=1.0); "
            "print([m for m in ('mlflow', 'wandb', 'keras') if m in sys.modules])"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                              check=True)  # fmt: skip
        assert done.stdout.strip() == "[]"
