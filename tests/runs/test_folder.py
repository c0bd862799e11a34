"""A whole run folder of the version before; its tables; the names of its files in one room."""

import ast
import csv
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ensemble_kit.core.alignment import align_rows, row_numbers
from ensemble_kit.core.errors import PredictionsError, RunError, StudyError
from ensemble_kit.runs import paths
from ensemble_kit.runs.ensembles import SetLine, write_sets
from ensemble_kit.runs.evaluation import read_evaluation, write_evaluation
from ensemble_kit.runs.folder import find_run, read_run, read_run_study, write_study
from ensemble_kit.runs.folds import (
    EpochRecord,
    fold_predictions,
    identity_predictions,
    read_history,
    write_fold_predictions,
    write_history,
)
from ensemble_kit.runs.tables import (
    find_oof_of_repeat,
    read_folds,
    read_oof,
    write_folds,
    write_oof,
    write_oof_of_repeat,
)
from ensemble_kit.study import read_study

GOLDEN = Path(__file__).parents[1] / "golden" / "run-v1"
RUNS = ("evaluated", "trained", "ensembled")
HOUSE = Path(__file__).parents[2] / "ensemble_kit"


@pytest.mark.parametrize("name", RUNS)
def test_a_run_of_the_version_before_is_read_and_its_tables_written_alike(
    name: str, tmp_path: Path
) -> None:
    place = GOLDEN / name
    run = read_run(place)
    assert (run.name, len(run.table), run.folds.n_folds) == (name, 24, 3)
    table, draws = read_folds(place, run.table.class_names, run.manifest.data_root)
    names = [
        *write_folds(tmp_path, table, draws),
        write_oof(tmp_path, read_oof(place)),
        *write_evaluation(tmp_path, read_evaluation(place)),
    ]
    for file in names:
        assert (tmp_path / file).read_bytes() == (place / file).read_bytes(), file
    study = read_run_study(place)
    write_study(tmp_path, study)
    assert read_run_study(tmp_path) == study, "settings of today are added with their defaults"


def test_folds_and_repeats_of_the_version_before(tmp_path: Path) -> None:
    place = GOLDEN / "trained"
    run = read_run(place)
    draws = read_folds(place, run.table.class_names)[1]
    assert len(draws) == 2
    for repeat, draw in enumerate(draws):
        whole = find_oof_of_repeat(place, repeat)
        assert whole is not None
        name = write_oof_of_repeat(tmp_path, repeat, whole)
        assert (tmp_path / name).read_bytes() == (place / name).read_bytes()
        for k in range(draw.n_folds):
            fold = paths.fold_folder(place, repeat, k)
            held = fold_predictions(fold)
            assert held.image_ids.tolist() == draw.image_ids[draw.held_out(k)].tolist()
            files = [write_history(tmp_path, read_history(fold))]
            files += write_fold_predictions(tmp_path, held, identity_predictions(fold))
            for file in files:
                there = paths.OLD_IDENTITY_VIEW if file == paths.IDENTITY_VIEW else file
                assert (tmp_path / file).read_bytes() == (fold / there).read_bytes()
    assert find_oof_of_repeat(place, 2) is None
    assert [fold for fold, _ in paths.fold_folders(place)] == [0, 1, 2]


def test_sets_of_the_version_before(tmp_path: Path) -> None:
    place = GOLDEN / "ensembled"
    rows = list(csv.DictReader((place / "sets.csv").read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 24
    lines = [SetLine(*list(row.values())[:2], tuple(list(row.values())[2].split())) for row in rows]
    write_sets(tmp_path, ("a", "b"), lines)
    assert (tmp_path / "sets.csv").read_bytes() == (place / "sets.csv").read_bytes()


def test_damaged_tables_are_one_sentence(tmp_path: Path) -> None:
    place = tmp_path / "run"
    shutil.copytree(GOLDEN / "trained", place)
    classes = ("mole", "other")
    (place / "folds.csv").write_text((place / "folds.csv").read_text().replace(",0,", ",zero,"))
    with pytest.raises(RunError, match=r"folds\.csv: column fold: .*; the run is damaged"):
        read_folds(place, classes)
    with pytest.raises(RunError, match=r"folds\.csv is not the file the run wrote"):
        read_run(place)
    (place / "images.csv").write_text("image\n")
    with pytest.raises(RunError, match=r"images\.csv: lacks column path"):
        read_folds(place, classes)
    history = place / "fold_0/history.csv"
    for content, said in (
        ("phase,epoch\n", "lacks column loss"),
        (history.read_text().replace("head", "tail"), "phase 'tail'"),
        (history.read_text().replace("0.9", "much"), "could not convert"),
    ):
        history.write_text(content)
        with pytest.raises(RunError, match=re.escape(said)):
            read_history(place / "fold_0")
        shutil.copy(GOLDEN / "trained/fold_0/history.csv", history)
    history.unlink()
    with pytest.raises(RunError, match=r"history\.csv"):
        read_history(place / "fold_0")


finite = st.floats(allow_nan=False, allow_infinity=False)


@given(
    st.lists(
        st.builds(
            EpochRecord, st.sampled_from(["head", "fine_tune"]), st.integers(1, 99), finite,
            st.none() | finite, st.none() | finite, st.none() | finite, finite, finite, finite,
        ),
        max_size=4,
    )
)  # fmt: skip
def test_any_history_is_read_as_written(
    tmp_path_factory: pytest.TempPathFactory, history: list[EpochRecord]
) -> None:
    folder = tmp_path_factory.mktemp("history")
    write_history(folder, history)
    assert read_history(folder) == tuple(history)


def test_the_latest_run_and_a_named_one_are_found() -> None:
    assert find_run("trained", GOLDEN) == GOLDEN / "trained"
    assert find_run(None, GOLDEN).parent == GOLDEN
    with pytest.raises(RunError, match="there are: ensembled, evaluated, trained"):
        find_run("other", GOLDEN)


@given(st.permutations(range(8)), st.lists(st.integers(0, 7)))
def test_rows_are_aligned_by_id(order: list[int], wanted: list[int]) -> None:
    ids = np.array([f"i{k}" for k in order])
    names = [f"i{k}" for k in wanted]
    rows = align_rows(ids, names)
    assert rows.dtype == np.int64
    assert ids[rows].tolist() == names
    assert [row_numbers(ids)[name] for name in names] == rows.tolist()


def test_ids_without_a_row_are_all_named() -> None:
    with pytest.raises(PredictionsError, match="'x', 'z'"):
        align_rows(["y"], ["x", "y", "z"], lambda missing: PredictionsError(str(missing)))


def _names() -> set[str]:
    """Every file name that ``runs/paths.py`` holds."""
    constants = (v for k, v in vars(paths).items() if k.isupper() and isinstance(v, str))
    found = {c.rsplit("/", 1)[-1] for c in constants}
    return {name for name in found if re.fullmatch(r"[a-z_]+\.[a-z]+", name)}


def _literals(path: Path) -> list[tuple[int, str]]:
    """String literals that are no docstrings and no sentences (a name holds no blank)."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        (node.lineno, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if id(node) not in prose and not re.search(r"\s", node.value)
    ]


def test_no_other_room_spells_a_file_of_the_run_folder() -> None:
    names = _names()
    assert {"done.json", "oof.csv", "ensemble.json", "model.keras", "index.json"} <= names
    pattern = re.compile("|".join(rf"(?:^|/){re.escape(n)}$" for n in names) + r"|^oof_$|^repeat_$")
    rooms = [p for p in HOUSE.rglob("*.py") if p.relative_to(HOUSE).parts[0] != "runs"]
    assert len(rooms) > 150
    exported = {"models/export_formats.py", "cli/predict.py"}  # files that leave the run folder
    offenders = [
        f"{path.relative_to(HOUSE)}:{line} {text!r}"
        for path in rooms
        if path.relative_to(HOUSE).as_posix() not in exported
        for line, text in _literals(path)
        if pattern.search(text)
    ]
    assert not offenders


def test_no_reader_of_runs_takes_json_or_csv_apart_itself() -> None:
    rooms = ("reporting", "workflows", "explain")
    files = [p for room in rooms for p in (HOUSE / room).rglob("*.py")]
    own = {"export.py", "bundle.py", "predict.py"}  # files beside an export, not of a run folder
    files = [p for p in files if p.name not in own]
    files += [HOUSE / "tuning/summary.py", HOUSE / "training/fold.py"]
    found = re.compile(r"json\.loads?\(|csv\.\w*[rR]eader\(|read_csv\(|write_json\(")
    offenders = [str(p) for p in files if found.search(p.read_text(encoding="utf-8"))]
    assert not offenders


def test_a_run_whose_study_lacks_later_settings_did_what_was_done_then(tmp_path: Path) -> None:
    """Runs were written with every setting of their time: an absent one is no default of today."""
    text = (GOLDEN / "trained" / "study.toml").read_text(encoding="utf-8")
    lines = [x for x in text.splitlines() if not x.startswith(("head =", "logit_adj", "warmup"))]
    space = "[search.space.head_lr]\nlow = 0.0003\nhigh = 0.03\nlog = true\n"
    (tmp_path / "study.toml").write_text("\n".join([*lines, space]), encoding="utf-8")
    training = read_run_study(tmp_path).training
    assert (training.head, training.logit_adjustment, training.warmup) == ("sgd", 0.0, 0.0)
    with pytest.raises(StudyError, match="head_lr has no effect"):
        read_study(tmp_path / "study.toml")


@pytest.mark.parametrize(
    "name", ["metrics.csv", "curves.json", "oof.csv", "folds.csv", "study.toml"]
)
@pytest.mark.parametrize("run", RUNS)
def test_a_forged_or_missing_file_is_refused_by_name(tmp_path: Path, run: str, name: str) -> None:
    folder = Path(shutil.copytree(GOLDEN / run, tmp_path / run))
    path = folder / name
    if name not in read_run(folder).manifest.files:
        pytest.skip("this kind of run records no such file")
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(RunError, match=f"{re.escape(name)} is not the file the run wrote"):
        read_run(folder)
    path.unlink()
    if name == "metrics.csv":
        read_run(folder)  # figures that are not there are computed anew
    else:
        with pytest.raises(RunError, match=f"{re.escape(name)} is missing"):
            read_run(folder)
