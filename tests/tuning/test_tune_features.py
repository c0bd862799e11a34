"""A search on features made elsewhere: no image, no framework, the folds of any search."""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ensemble_kit.core.errors import DataError, EnsembleKitError, SearchError
from ensemble_kit.runs.folder import read_run
from ensemble_kit.study import StudySpec, read_study
from ensemble_kit.training.preparing import Resources
from ensemble_kit.workflows.cross_validation import cross_validate
from ensemble_kit.workflows.search import plan_search, tune
from tests.workflows.test_cv_tables import drawn

SMALL = {"evaluation": {"replicates": 0, "malignant": ()}, "split": {"folds": 3},
         "model": {"hidden_units": 32}}  # fmt: skip
SPACE = {"head": ["network", "probe"], "hidden_units": [32, 8], "dropout": {"low": 0, "high": 0.5},
         "logit_adjustment": {"low": 0, "high": 1}}  # fmt: skip


def searched(**search: object) -> StudySpec:
    spec = read_study(Path("features")).override(SMALL)
    return spec.override({"search": {"space": SPACE, "trials": 5, **search}})


def find(place: Path, table, x, spec: StudySpec, **more):
    return tune(table, spec, features=x, name="s", studies_dir=place / "studies",
                resources=Resources(place / "store"), **more)  # fmt: skip


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    place = tmp_path_factory.mktemp("search")
    table, x = drawn(180)
    x.to_csv(place / "x.csv")
    return place, table, find(place, table, place / "x.csv", searched())


def test_the_best_study_gives_cv_the_score_it_was_chosen_by(found):
    place, table, best = found
    assert best.trials["state"].isin(["COMPLETE", "PRUNED"]).all()
    first = best.trials.iloc[0]
    assert (first["head"], first["hidden_units"]) == ("network", 32), "the study as it stands"
    linear = best.trials[best.trials["head"] == "probe"]
    assert linear[["hidden_units", "dropout"]].isna().all().all(), "not drawn where idle"
    spec = read_study(best.study_file)
    assert spec.data.features == str(place / "x.csv")
    done = cross_validate(table, spec, runs_dir=place / "runs", resources=Resources(place / "s"),
                          studies_dir=place / "studies")  # fmt: skip
    p = read_run(done.folder).predictions.in_order_of(table.image_ids).probabilities
    loss = -np.log(p[np.arange(len(table)), table.labels]).mean()
    assert loss == pytest.approx(best.best_value, abs=1e-9)
    record = json.loads((done.folder / "tuning.json").read_text())
    assert record["best"] == best.result.best.number
    assert any("tuned on the same data set" in text for text in done.warnings)


def test_it_is_gone_on_with_the_same_features_alone(found):
    place, table, best = found
    more = find(place, table, place / "x.csv", searched(), trials=6, resume=True)
    assert len(more.trials) == 6
    assert more.trials["value"].iloc[:5].equals(best.trials["value"])
    frame = pd.read_csv(place / "x.csv", index_col=0)
    with pytest.raises(SearchError, match="differs from what is asked in features"):
        find(place, table, frame * 2, searched(), resume=True)


def test_nested_and_frames_in_memory(tmp_path):
    table, x = drawn(120)
    space = {"head": ["probe", "network"], "logit_adjustment": [0.6, 0.0]}
    spec = searched(space=space, trials=2).override({"training": {"head": "probe"}})
    found = find(tmp_path, table, x, spec, nested=True)
    assert found.nested is not None
    assert found.nested.tuned.probabilities.shape == (120, 3)
    assert found.study.data.features == ""


def test_no_framework_is_loaded(tmp_path):
    import subprocess

    code = f"""
import sys, pathlib
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from tests.tuning.test_tune_features import find, searched, drawn
table, x = drawn(90)
find(pathlib.Path({str(tmp_path)!r}), table, x, searched(trials=1))
print(sorted(set(sys.modules) & {{"keras", "tensorflow", "jax", "torch"}}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"search": {"space": {"image_size": [64, 299]}}}, "image_size has no effect on features"),
        ({"search": {"space": {"dropout": [0.3, 0.5]}}, "training": {"head": "probe"}},
         "dropout has no effect with head = 'probe'"),
        ({"search": {"pruner": "median"}}, "features are stopped by folds"),
        ({"search": {"cost": True}}, "--cost is the cost of networks on images"),
        ({"model": {"inputs": "images"}}, "give --features FILE"),
        ({"model": {"inputs": "metadata", "metadata": ("age",)}}, "leaves nothing to search"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_one_sentence(tmp_path, change, said):
    table, x = drawn(90)
    given = x if change.get("model", {}).get("inputs") is None else None
    with pytest.raises(EnsembleKitError, match=said):
        plan_search(table, searched().override(change), features=given)
    with pytest.raises(DataError, match="no features for i0000"):
        plan_search(table, searched(), features=x.iloc[1:])
