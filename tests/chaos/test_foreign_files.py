"""Folders and files that no command wrote are never replaced or removed, even by --overwrite."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from ensemble_kit.core.errors import OutputError
from ensemble_kit.core.places import check_output_folder
from ensemble_kit.runs.own_files import foreign_files
from ensemble_kit.workflows.search import check_search_places
from tests.chaos.giving import faults, give, seen
from tests.chaos.workplace import QUICK

TABLE = ("cv", "--study", "study.toml", "--features", "features.npz", "-q", "--overwrite")
EVALUATE = ("evaluate", "--predictions", "a.csv", "--overwrite", *QUICK)
ENSEMBLE = ("ensemble", "a.csv", "b.csv", "--folds-file", "folds.csv", "--overwrite", *QUICK)
VALIDATE = ("validate", "runs/f", "--data", "data", "--features", "features.npz", "--allow-overlap",
            "--overwrite", *QUICK)  # fmt: skip
TUNE = ("tune", "--data", "data", "--features", "features.npz", "--name", "k", "--trials", "2",
        "--folds", "3", "-q")  # fmt: skip


def refused(place: Path, words: Sequence[str], *said: str) -> None:
    before = seen(place)
    outcome = give(place, words)
    assert outcome.code == 2, outcome
    for part in said:
        assert part in outcome.error, outcome.error
    assert not faults(outcome), outcome
    after = {k: v for k, v in seen(place).items() if not k.endswith(".lock")}
    assert after == {k: v for k, v in before.items() if not k.endswith(".lock")}


@pytest.mark.parametrize("words", [EVALUATE, ENSEMBLE, VALIDATE])
@pytest.mark.parametrize(
    "name", ["data", "runs", "thesis"], ids=["the data", "all runs", "other files"]
)
def test_a_folder_that_is_no_run_is_not_replaced(
    place: Path, words: Sequence[str], name: str
) -> None:
    (place / "thesis/chapters").mkdir(parents=True)
    (place / "thesis/chapters/one.txt").write_text("mine")
    refused(place, [*words, "--runs-dir", ".", "--name", name], name, "is no run")


@pytest.mark.parametrize(
    ("words", "run"),
    [
        ((*EVALUATE, "--name", "a"), "a"),
        ((*ENSEMBLE, "--name", "e"), "e"),
        (("evaluate", "--predictions", "a.csv", "--folds-file", "folds.csv", "--name", "a", *QUICK),
         "a"),
        ((*TABLE, "--run", "f"), "f"),
        (("runs", "rm", "f", "a", "--yes"), "a"),
    ],
    ids=["evaluate", "ensemble", "evaluate again", "cv", "runs rm"],
)  # fmt: skip
@pytest.mark.parametrize(
    "file",
    [
        "notes.txt",
        "figures/one.pdf",
        "fold_0/mine.csv",
        "one/oof.csv",
        "mine.png",
        "fold_0/tensorboard/thesis.docx",
        ".notes",
    ],
)
def test_a_run_with_files_of_others_is_not_replaced(
    place: Path, words: Sequence[str], run: str, file: str
) -> None:
    mine = place / "runs" / run / file
    mine.parent.mkdir(exist_ok=True, parents=True)
    mine.write_text("mine")
    refused(place, words, file, "no command of this program wrote")
    assert mine.read_text() == "mine"


def test_a_link_to_a_folder_elsewhere_is_somebodys(place: Path) -> None:
    (place / "runs/a/explain").symlink_to(place / "data", target_is_directory=True)
    (place / "runs/a/fold_0").symlink_to(place / "data", target_is_directory=True)
    refused(place, ["runs", "rm", "a", "--yes"], "fold_0")
    assert (place / "runs/a/fold_0").is_symlink()


def test_what_systems_and_editors_leave_is_nobodys(place: Path) -> None:
    events = "variants/half/repeat_1/fold_0/tensorboard/train/events.out.tfevents.1"
    for name in (".DS_Store", "Thumbs.db", "issues.csv~", ".ipynb_checkpoints/issues.csv",
                 "fold_0/.lock", "explain/I01.png", events):  # fmt: skip
        (place / "runs/a" / name).parent.mkdir(exist_ok=True, parents=True)
        (place / "runs/a" / name).write_text("")
    assert not list(foreign_files(place / "runs/a"))
    assert give(place, [*EVALUATE, "--name", "a"]).code == 0


def test_a_damaged_run_of_ours_may_be_removed(place: Path) -> None:
    (place / "runs/a/manifest.json").write_text("{}")
    assert give(place, ["runs", "rm", "a", "--yes"]).code == 0
    assert give(place, [*EVALUATE, "--name", "a"]).code == 0
    for run in (place / "runs").iterdir():
        assert not list(foreign_files(run)), run


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((*TUNE, "--studies-dir", "runs/f"), "lies in a run's folder"),
        ((*TUNE, "--studies-dir", "searches"), "was not made by this command"),
        ((*TUNE, "--studies-dir", "linked"), "is a run"),
        ((*TUNE, "--studies-dir", "half"), "holds a tuning.json but no trials.journal"),
    ],
)
def test_a_search_writes_over_nothing(place: Path, words: Sequence[str], said: str) -> None:
    (place / "searches").mkdir()
    (place / "searches/k.best.toml").write_text("mine")
    (place / "linked/store").mkdir(parents=True)
    (place / "linked/store/k").symlink_to(place / "runs/f")
    (place / "half/store/k").mkdir(parents=True)
    (place / "half/store/k/tuning.json").write_text("mine")
    refused(place, words, said)
    refused(place, [*words, "--dry-run"], said)


def test_searches_may_lie_beside_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`tune --studies-dir .` has its folder in ./store, where the pixels are by default."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "store/pixels/x").mkdir(parents=True)
    (tmp_path / "store/pixels/x/meta.json").write_text("{}")
    assert check_search_places("s", Path()) == Path("s.best.toml")
    with pytest.raises(OutputError, match="lies in a store"):
        check_search_places("s", Path("store/pixels"))
    with pytest.raises(OutputError, match="lies in a store"):
        check_output_folder(Path("store/run"), "--runs-dir")


def _forged(journal: Path, record: Path, what: str) -> None:
    lines = journal.read_text().splitlines(keepends=True)
    told = next(n for n, line in enumerate(lines) if json.loads(line).get("values"))
    if what == "emptied":
        journal.write_text("")
        return
    if what == "record":
        found = json.loads(record.read_text())
        found["trials"][0]["value"] = 0.5
        record.write_text(json.dumps(found))
        return
    forged = json.loads(lines[told]) | {"values": [0.0001]}
    lines[told] = json.dumps(forged).replace("0.0001", "1e400" if what == "infinite" else "0.0001")
    lines[told] += "\n"
    if what == "score and value":
        said = [n for n, line in enumerate(lines) if '"score"' in line and '"trial_id":0' in line]
        lines[said[-1]] = json.dumps(json.loads(lines[said[-1]]) | {"user_attr": {"score": 1e-4}})
        lines[said[-1]] += "\n"
        record.unlink()
    journal.write_text("".join(lines))


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("value", "its folds scored otherwise"),
        ("score and value", "its folds scored otherwise"),
        ("infinite", "has a score that is no finite number"),
        ("emptied", "differ in trial 0: one of them was changed or emptied"),
        ("record", "differ in trial 0: one of them was changed or emptied"),
    ],
)
def test_a_forged_score_of_a_search_is_told_of(
    searched: Path, tmp_path: Path, what: str, said: str
) -> None:
    place = tmp_path / "w"
    shutil.copytree(searched, place, symlinks=True)
    folder = place / "studies/store/k"
    assert give(place, [*TUNE, "--resume"]).code == 0
    _forged(folder / "trials.journal", folder / "tuning.json", what)
    refused(place, [*TUNE, "--resume", "--trials", "3"], "trials.journal", said)


@pytest.fixture(scope="module")
def searched(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("searched") / "w"
    shutil.copytree(made, place, symlinks=True)
    outcome = give(place, TUNE)
    assert outcome.code == 0, outcome
    return place
