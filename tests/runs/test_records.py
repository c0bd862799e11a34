"""Records: what is written is read, the old folder is read to the byte, damage is one sentence."""

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ensemble_kit.core.errors import RunError
from ensemble_kit.core.records import Estimate
from ensemble_kit.runs.comparisons import ComparisonRecord
from ensemble_kit.runs.curves import CurvesRecord
from ensemble_kit.runs.ensembles import CalibrationRecord, ConformalRecord, EnsembleRecord
from ensemble_kit.runs.explained import ExplainIndex, Overlay, read_overlays, write_overlays
from ensemble_kit.runs.folds import FoldDone
from ensemble_kit.runs.manifest import Manifest
from ensemble_kit.runs.records import Record
from ensemble_kit.runs.search import Optimism, Trial, TuningRecord

GOLDEN = Path(__file__).parents[1] / "golden" / "run-v1"
WHERE: tuple[tuple[type[Record], str], ...] = (
    (Manifest, "evaluated"),
    (Manifest, "trained"),
    (Manifest, "ensembled"),
    (ComparisonRecord, "evaluated"),
    (CurvesRecord, "trained"),
    (TuningRecord, "trained"),
    (ExplainIndex, "trained"),
    (FoldDone, "trained/fold_0"),
    (EnsembleRecord, "ensembled"),
    (CalibrationRecord, "ensembled"),
    (ConformalRecord, "ensembled"),
)
EACH = pytest.mark.parametrize(("record", "place"), WHERE)
text = st.text(max_size=12)
number = st.none() | st.floats(allow_nan=False, allow_infinity=False)
scalar = (
    st.booleans() | st.integers(-(2**53), 2**53) | number.filter(lambda x: x is not None) | text
)


def _of_before(after: object, before: object) -> object:
    """What was written, without the keys that have come since."""
    if isinstance(after, dict) and isinstance(before, dict):
        return {k: _of_before(v, before[k]) for k, v in after.items() if k in before}
    if isinstance(after, list) and isinstance(before, list) and len(after) == len(before):
        return [_of_before(a, b) for a, b in zip(after, before, strict=True)]
    return after


@EACH
def test_a_file_of_the_version_before_is_read_and_nothing_of_it_is_lost(
    record: type[Record], place: str, tmp_path: Path
) -> None:
    found = record.read(GOLDEN / place)
    assert found.write(tmp_path) == record.FILE
    before = (GOLDEN / place / record.FILE).read_text(encoding="utf-8")
    after = (tmp_path / record.FILE).read_text(encoding="utf-8")
    known = json.loads(before)
    if record.UNVERSIONED:
        known |= {"format_version": 1}
    assert _of_before(json.loads(after), known) == known
    assert record.read(tmp_path) == found


@EACH
def test_damage_is_one_sentence_that_names_file_and_field(
    record: type[Record], place: str, tmp_path: Path
) -> None:
    path = tmp_path / record.FILE
    path.parent.mkdir(exist_ok=True)
    whole = json.loads((GOLDEN / place / record.FILE).read_text(encoding="utf-8"))
    key = record.VERSION_KEY
    again = record.REMEDY
    cases = {
        "not JSON": ('{"a": ', "cannot be read"),
        "a list": ("[]", "not an object"),
        "another version": (json.dumps(whole | {key: 99}), "version 99, but this program reads 1"),
        "true is no version": (json.dumps(whole | {key: True}), "version True"),
        "an unknown key": (json.dumps(whole | {"invented": 1}), "invented is not known"),
    }
    for name, field in record.model_fields.items():
        if field.is_required():
            key_there = field.alias or name
            less = {k: v for k, v in whole.items() if k != key_there}
            cases[f"without {name}"] = (json.dumps(less), f"{key_there} is missing")
    for what, (content, said) in cases.items():
        path.write_text(content, encoding="utf-8")
        with pytest.raises(RunError) as caught:
            record.read(tmp_path)
        message = str(caught.value)
        assert str(path) in message, what
        assert said in message, what
        assert again in message, what
        assert "\n" not in message, what


@EACH
def test_a_missing_file_is_none_or_refused(
    record: type[Record], place: str, tmp_path: Path
) -> None:
    assert record.find(tmp_path) is None
    with pytest.raises(RunError, match="is missing"):
        record.read(tmp_path)


def test_an_unknown_key_deep_inside_is_not_lost_in_silence(tmp_path: Path) -> None:
    values = json.loads((GOLDEN / "ensembled/ensemble.json").read_text(encoding="utf-8"))
    values["members"][0]["figures"]["log_loss"]["extra"] = 1
    (tmp_path / "ensemble.json").write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(RunError, match=r"members\.0\.figures\.log_loss\.extra"):
        EnsembleRecord.read(tmp_path)


def test_records_are_frozen_and_know_one_version() -> None:
    done = FoldDone.read(GOLDEN / "trained/fold_1")
    with pytest.raises(ValueError, match="frozen"):
        done.fold = 2  # type: ignore[misc]
    with pytest.raises(ValueError, match="is not 1"):
        FoldDone(**(done.plain() | {"format_version": 2}))


def test_a_fold_is_whole_until_a_file_changes(tmp_path: Path) -> None:
    place = tmp_path / "fold"
    shutil.copytree(GOLDEN / "trained/fold_2", place)
    done = FoldDone.read(place)
    assert done.whole(place)
    (place / "history.csv").write_text("")
    assert not done.whole(place)
    (place / "history.csv").unlink()
    assert not done.whole(place)


def test_nothing_is_left_of_a_record_that_cannot_be_written(tmp_path: Path) -> None:
    record = TuningRecord.read(GOLDEN / "trained")
    bad = record.model_copy(update={"importance": {"a": float("nan")}})
    with pytest.raises(ValueError, match="JSON"):
        bad.write(tmp_path)
    assert list(tmp_path.iterdir()) == []


@given(
    st.lists(
        st.builds(
            Trial, number=st.integers(0, 9), state=text, value=number, seconds=number,
            params=st.dictionaries(text, scalar, max_size=3), failure=text,
            pruned_after=st.none() | st.integers(0, 9), cost=number,
        ),
        max_size=3,
    ),
    st.none() | st.builds(Optimism, value=number, low=number, high=number, note=text),
)  # fmt: skip
def test_any_search_is_read_as_written(
    tmp_path_factory: pytest.TempPathFactory, trials: list[Trial], optimism: Optimism | None
) -> None:
    folder = tmp_path_factory.mktemp("search")
    record = TuningRecord(
        name="n", metric="m", direction="d", sampler="s", pruner="p", space={"x": [1, 2.5]},
        trials=tuple(trials), best=0, front=(0,), importance={}, optimism=optimism, nested=None,
        note="ü\n",
    )  # fmt: skip
    record.write(folder)
    back = TuningRecord.read(folder)
    assert back == record
    kinds = [[type(v) for v in trial.params.values()] for trial in trials]
    assert [[type(v) for v in trial.params.values()] for trial in back.trials] == kinds


@given(st.dictionaries(text, text, max_size=4))
def test_any_index_of_heat_maps_is_read_as_written(
    tmp_path_factory: pytest.TempPathFactory, classes: dict[str, str]
) -> None:
    folder = tmp_path_factory.mktemp("explained")
    wanted = {
        image: Overlay(
            image=image, fold=0, file="f.png", predicted="a", true="b", model="", class_name=name
        )
        for image, name in classes.items()
    }
    write_overlays(folder, wanted.values())
    assert read_overlays(folder) == wanted


def test_the_golden_estimate_is_the_core_s() -> None:
    found = EnsembleRecord.read(GOLDEN / "ensembled").board[0].figures["log_loss"]
    assert isinstance(found, Estimate)
    assert found.n_groups == 12
