"""`ensemble` reads prediction files as `evaluate` does; ISIC's figures are of the scores given."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ensemble_kit.core.errors import PredictionsError
from ensemble_kit.core.records import Floats
from ensemble_kit.data.prediction_rows import Asked
from ensemble_kit.metrics.isic import with_isic_rows
from ensemble_kit.study import DataSpec, EvaluationSpec
from ensemble_kit.workflows.ensemble import ensemble
from ensemble_kit.workflows.evaluation import evaluate
from ensemble_kit.workflows.matching import read_matched
from ensemble_kit.workflows.members import gather

CLASSES = ("bcc", "mel", "nv")
N = 60
LABELS = np.arange(N) % 3


def scores(seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    return np.asarray(rng.normal(size=(N, 3)) + 2.0 * np.eye(3)[LABELS])


def frame(values: Floats, **more: object) -> pd.DataFrame:
    ids = {"image": [f"i{k:03d}" for k in range(N)]}
    return pd.DataFrame(ids | dict(zip(CLASSES, values.T, strict=True)) | more)


def softmax(values: Floats) -> Floats:
    e = np.exp(values)
    return np.asarray(e / e.sum(axis=1, keepdims=True))


KNOWN = {"dx": np.array(CLASSES)[LABELS], "fold": np.arange(N) // 3 % 3}


def test_logits_of_one_member_and_labels_of_the_other(tmp_path: Path) -> None:
    frame(scores(0), **KNOWN).to_csv(tmp_path / "a.csv", index=False)
    frame(scores(1)).to_parquet(tmp_path / "b.parquet")
    found = gather([], [tmp_path / "a.csv", tmp_path / "b.parquet"], asked=Asked(scale="logits"))
    assert found.members.names == ("a", "b")
    assert found.members.probabilities[1] == pytest.approx(softmax(scores(1)), abs=1e-12)
    assert any("softmax" in note for note in found.notes)


def test_files_of_single_folds_are_one_member(tmp_path: Path) -> None:
    whole = frame(softmax(scores(0)), dx=KNOWN["dx"])
    for k in range(3):
        whole[KNOWN["fold"] == k].to_csv(tmp_path / f"model_fold{k}.csv", index=False)
    found = gather([], [tmp_path])
    assert found.members.names == ("model",)
    assert found.folds.n_folds == 3
    assert any("joined as 3 folds" in note for note in found.notes)


def test_rows_of_several_views_columns_and_truth(tmp_path: Path) -> None:
    views = pd.concat([frame(softmax(scores(k))) for k in (0, 1)]).rename(columns={"image": "who"})
    views.to_csv(tmp_path / "views.csv", index=False)
    truth = pd.DataFrame({"image": [f"i{k:03d}" for k in range(N + 3)], "finding_7": "nv"})
    truth.loc[: N - 1, "finding_7"] = KNOWN["dx"]
    truth.to_csv(tmp_path / "truth.csv", index=False)
    folds = pd.DataFrame({"image": [f"i{k:03d}" for k in range(N)], "fold": KNOWN["fold"]})
    folds.to_csv(tmp_path / "folds.csv", index=False)
    found = gather(
        [], [tmp_path / "views.csv"], tmp_path / "truth.csv", tmp_path / "folds.csv",
        asked=Asked(several="mean"), data=DataSpec(columns={"label": "finding_7"}),
    )  # fmt: skip
    mean = (softmax(scores(0)) + softmax(scores(1))) / 2
    assert found.members.probabilities[0] == pytest.approx(mean, abs=1e-12)


def test_scores_that_do_not_sum_to_1(tmp_path: Path) -> None:
    raw = 1 / (1 + np.exp(-scores(0)))
    frame(raw, **KNOWN).to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(PredictionsError, match="--normalise"):
        gather([], [tmp_path / "a.csv"])
    matched = read_matched([tmp_path / "a.csv"], asked=Asked(normalise=True))
    (kept,) = matched.raw
    assert kept == pytest.approx(raw, abs=1e-12)
    plain = evaluate(
        matched.members[0][1].probabilities, matched.table.labels, class_names=CLASSES,
        settings=EvaluationSpec(replicates=0, malignant=()),
    )  # fmt: skip
    with_raw = with_isic_rows(plain, matched.table, matched.members[0][1], kept)
    mel, others = raw[LABELS == 1, 1], raw[LABELS != 1, 1]
    auc = float((mel[:, None] > others[None, :]).mean())
    assert with_raw.figure("isic_auc", "mel").value == pytest.approx(auc, abs=1e-12)
    of_shares = with_isic_rows(plain, matched.table, matched.members[0][1])
    assert of_shares.figure("isic_auc", "mel").value != pytest.approx(auc, abs=1e-6)


def test_a_class_that_is_never_true_but_has_probability_is_a_warning(tmp_path: Path) -> None:
    p = softmax(np.column_stack([scores(0), np.zeros(N)]))
    table = frame(p[:, :3], **KNOWN)
    table["unk"] = p[:, 3]
    table.to_csv(tmp_path / "a.csv", index=False)
    matched = read_matched([tmp_path / "a.csv"])
    assert any("no image is unk" in line and "--normalise" in line for line in matched.warnings)


def test_a_member_given_twice_is_refused_and_an_equal_one_is_named(tmp_path: Path) -> None:
    frame(softmax(scores(0)), **KNOWN).to_csv(tmp_path / "a.csv", index=False)
    frame(softmax(scores(0))).to_csv(tmp_path / "copy.csv", index=False)
    frame(softmax(scores(1))).to_csv(tmp_path / "b.csv", index=False)
    (tmp_path / "link.csv").symlink_to("a.csv")
    for twice in ("a.csv", "link.csv", "../" + tmp_path.name + "/a.csv"):
        with pytest.raises(PredictionsError, match="is given twice; name every file once"):
            gather([], [tmp_path / "a.csv", tmp_path / twice])
        with pytest.raises(PredictionsError, match="is given twice"):
            read_matched([tmp_path / "a.csv", tmp_path / twice])
    found = gather([], [tmp_path / name for name in ("a.csv", "b.csv", "copy.csv")])
    assert len([text for text in found.warnings if "probabilities of a for every" in text]) == 1
    assert not [text for text in found.warnings if text.startswith("b ")]


def test_a_way_to_read_labels_is_not_ignored_without_a_truth(tmp_path: Path) -> None:
    frame(softmax(scores(0)), **KNOWN).to_csv(tmp_path / "a.csv", index=False)
    for reading in (DataSpec(label_level=2), DataSpec(map_labels="map.csv")):
        with pytest.raises(PredictionsError, match="--truth, which is not given"):
            read_matched([tmp_path / "a.csv"], data=reading)
        with pytest.raises(PredictionsError, match="--truth, which is not given"):
            ensemble([tmp_path / "a.csv"], reading=reading, runs_dir=tmp_path / "runs")
