"""A search whose folds train on a cluster: the same trials as here, and pruners that hear them."""

import json

import pytest

from tests.executors.giving import LONGEST, command, give

pytest.importorskip("keras")
pytestmark = pytest.mark.timeout(3 * LONGEST)

STUDY = """
name = "squares"
[data]
path = "squares"
[split]
folds = 3
[model]
backbone = "compact"
weights = "none"
image_size = 48
unfreeze_depth = 1
[training]
head = "sgd"
head_epochs = 6
fine_tune_epochs = 2
batch_size = 16
augment = "none"
early_stopping = "inner"
[evaluation]
replicates = 0
[search]
trials = 8
[search.space]
head_lr = { low = 1e-6, high = 3e-2, log = true }
"""


def trials(place, name: str, *words: str) -> list[tuple]:
    """Number, state, value, folds until it was stopped, and parameters of each trial."""
    (place / "squares.toml").write_text(STUDY, encoding="utf-8")
    done = give(place, command("tune", "--study", "squares.toml", "--name", name, *words))
    assert done.returncode == 0, done.stderr
    record = json.loads((place / "studies/store" / name / "tuning.json").read_text())
    return [
        (t["number"], t["state"], t["value"], t["pruned_after"], t["params"])
        for t in record["trials"]
    ]


@pytest.mark.dask
def test_the_trials_are_those_of_this_machine(place):
    pytest.importorskip("distributed")
    here = trials(place, "here", "--jobs", "2")
    there = trials(place, "there", "--jobs", "2", "--executor", "dask", "--store", "store-dask")
    assert there == here
    assert len(there) == 8
    assert any(state == "PRUNED" for _, state, *_ in there)


@pytest.mark.dask
def test_a_pruner_of_epochs_stops_a_fold_under_way(place):
    pytest.importorskip("distributed")
    found = trials(place, "epochs", "--jobs", "2", "--pruner", "median", "--executor", "dask",
                   "--store", "store-dask")  # fmt: skip
    stopped = [t for t in found if t[1] == "PRUNED"]
    assert len(found) == 8
    assert stopped
    assert all(after == 0 for _, _, _, after, _ in stopped)
