"""Optuna's own pruners: asked after every epoch, in training that is really stopped."""

import json
import subprocess
import sys

import optuna
import pytest

from ensemble_kit.core.errors import SearchError
from ensemble_kit.tuning.epochs import EpochWatch, check_pruner, make_pruner
from tests.training.conftest import write_squares
from tests.tuning.bench import small_study

STUDY = """
name = "curves"
[data]
path = "squares"
[split]
folds = 2
[model]
backbone = "compact"
weights = "none"
image_size = 32
unfreeze_depth = 0
[training]
head = "sgd"
head_epochs = 40
patience = 40
batch_size = 16
head_lr = 0.02
early_stopping = "inner"
schedule = "plateau"
augment = "none"
[search]
pruner = "median"
sampler = "random"
trials = 8
[search.space]
head_lr = { low = 1e-8, high = 0.1, log = true }
"""


def curve(phase, values, fold=0):
    return [{"kind": "epoch", "phase": phase, "epoch": e, "fold": fold, "val_loss": v,
             "val_auc": 1 - v, "val_accuracy": None} for e, v in enumerate(values)]  # fmt: skip


def asked(pruner, **search):
    return small_study().override(
        {"search": {"pruner": pruner} | search, "training": {"early_stopping": "inner"}}
    )


def test_a_curve_above_the_median_of_the_others_is_stopped_where_it_is_worse():
    spec = asked("median")
    study = optuna.create_study(pruner=make_pruner(spec))
    for _ in range(4):
        trial = study.ask()
        watch = EpochWatch(trial, spec)
        assert not any(watch.heard(event) for event in curve("head", [0.9, 0.7, 0.6]))
        study.tell(trial, 0.6)
    watch = EpochWatch(study.ask(), spec)
    told = [watch.heard(event) for event in curve("head", [0.8, 0.75, 0.7])]
    assert told == [False, True, True], "its best so far is compared, and it stays stopped"


def test_steps_are_equal_stages_whatever_the_trials_epochs():
    spec = asked("median")
    head = spec.training.head_epochs
    study = optuna.create_study()
    trial = study.ask()
    watch = EpochWatch(trial, spec)
    watch.heard({"kind": "fold_started", "fold": 0})
    for event in curve("head", [0.5]) + curve("fine_tune", [0.4]) + curve("head", [0.3], fold=1):
        watch.heard(event)
    reported = study.get_trials()[0].intermediate_values
    assert reported == {1: 0.5, head + 1: 0.4}, "and later folds begin anew: not compared"


def test_the_epoch_figure_goes_with_the_metric():
    spec = asked("hyperband", metric="roc_auc_ovr")
    study = optuna.create_study(direction="maximize", pruner=make_pruner(spec))
    watch = EpochWatch(study.ask(), spec)
    watch.heard(curve("head", [0.2])[0])
    assert study.get_trials()[0].intermediate_values == {1: 0.8}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"training": {"early_stopping": "none"}}, "early_stopping is 'none': set it to 'inner'"),
        ({"training": {"early_stopping": "validation"}}, "rows held out of training"),
        ({"search": {"cost": True}}, "knows one objective and --cost asks for two"),
    ],
)
def test_nothing_to_compare_is_said_beforehand(changes, words):
    with pytest.raises(SearchError, match=words):
        check_pruner(asked("halving").override(changes))
    check_pruner(small_study().override(changes))


@pytest.mark.slow
def test_a_hopeless_rate_is_stopped_in_its_first_fold(tmp_path):
    pytest.importorskip("keras")
    write_squares(tmp_path / "squares")
    (tmp_path / "curves.toml").write_text(STUDY, encoding="utf-8")
    tune = [sys.executable, "-m", "ensemble_kit.cli", "tune", "--study", "curves.toml",
            "--no-progress"]  # fmt: skip
    done = subprocess.run(tune, cwd=tmp_path, capture_output=True, text=True, timeout=300,
                          check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    place = tmp_path / "studies/store/curves"
    found = json.loads((place / "tuning.json").read_text())
    pruned = [t for t in found["trials"] if t["state"] == "PRUNED"]
    assert pruned
    assert all(t["pruned_after"] == 0 for t in pruned)
    best = min(t["value"] for t in found["trials"] if t["state"] == "COMPLETE")
    assert found["trials"][0]["value"] < 1.5 * best, "the study's own rate is a good one"
    finished = list((place / "folds").glob("*/fold_0/done.json"))
    assert len(finished) == 8 - len(pruned), "cut short"
    again = subprocess.run([*tune, "--resume", "--pruner", "paired"], cwd=tmp_path,
                           capture_output=True, text=True, timeout=300, check=False)  # fmt: skip
    assert again.returncode == 2
    assert "differs from what is asked in kind of pruner" in again.stderr
