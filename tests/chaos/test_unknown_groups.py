"""One rule for lesions of tables and data sets, and no word of groups where none are known."""

from pathlib import Path

import pandas as pd
import pytest

from tests.chaos.giving import faults, give
from tests.chaos.workplace import QUICK

EVALUATE = ("evaluate", "--predictions", "p.csv", "--folds-file", "folds.csv", "--name", "u",
            "--replicates", "40")  # fmt: skip


def _predictions(place: Path) -> pd.DataFrame:
    frame = pd.read_csv(place / "a.csv", dtype=str)
    return frame.drop(columns=[c for c in frame if c in ("lesion_id", "patient_id", "group")])


def test_a_lesion_of_two_diagnoses_is_refused_in_a_table_as_in_data(place: Path) -> None:
    frame = _predictions(place)
    two = frame.groupby("label").head(1).index[:2]
    frame["lesion_id"] = [f"L{k}" for k in range(len(frame))]
    frame.loc[two, "lesion_id"] = "L0"
    frame.to_csv(place / "p.csv", index=False)
    outcome = give(place, [*EVALUATE, "-q"])
    assert outcome.code == 2, outcome
    assert "lesion L0 (" in outcome.error
    assert "has more than one diagnosis" in outcome.error
    assert not faults(outcome), outcome


def test_lesion_numbers_within_patients_are_told_of(place: Path) -> None:
    frame = _predictions(place)
    frame["lesion_id"] = [str(k % 2) for k in range(len(frame))]
    frame["patient_id"] = [f"P{k // 2}" for k in range(len(frame))]
    frame.to_csv(place / "p.csv", index=False)
    outcome = give(place, [*EVALUATE[:3], *EVALUATE[5:]])
    assert outcome.code == 0, outcome
    assert "lesions are numbered within patients" in " ".join(outcome.err.split())


@pytest.mark.parametrize("known", [False, True])
def test_a_page_speaks_of_groups_only_where_some_are_known(place: Path, known: bool) -> None:
    frame = _predictions(place)
    if known:
        frame["lesion_id"] = frame.index // 2
    frame.to_csv(place / "p.csv", index=False)
    pd.DataFrame({"image": frame["image"], "fold": frame.index // 2 % 2}).to_csv(
        place / "folds.csv", index=False
    )
    done = give(place, EVALUATE)
    assert done.code == 0, done
    assert ("without known groups" in done.out) is not known
    assert ("intervals resample groups" in done.out) is known
    assert give(place, ["report", "u", "--out", "u.html"]).code == 0
    page = " ".join((place / "u.html").read_text(encoding="utf-8").split())
    said = ("were checked: none has images in more than one", "groups in two folds",
            "folds that keep every group whole")  # fmt: skip
    for words in said:
        assert (words in page) is known, words
    assert "Every image is its own group" not in page
    shown = page[: page.index('type="application/json"')]
    assert shown.count("no groups are known: every image counts as independent") == (not known)
    assert ("images without known groups" in page) is not known


def test_a_run_that_is_no_networks_is_refused_before_anything_is_loaded(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "ensemble_kit.workflows.explanation.warm_up", lambda _: pytest.fail("a framework is loaded")
    )
    outcome = give(place, ["explain", "e", *QUICK[2:]])
    assert outcome.code == 2
    assert "only runs of `cv` can be explained" in outcome.error
