"""New data for members that see features, metadata, or images with metadata; and their ensemble."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ensemble_kit.core.errors import DataError, RunError
from ensemble_kit.runs.folder import read_run
from ensemble_kit.runs.paths import TABLE_MODEL
from ensemble_kit.workflows.finished import open_run
from ensemble_kit.workflows.predict import predict
from tests.training.conftest import write_squares
from tests.workflows.conftest import SETTINGS, give
from tests.workflows.test_predict import mistaken

keras = pytest.importorskip("keras")
META = "age,sex,site"


def more_columns(folder: Path, seed: int) -> pd.DataFrame:
    """Age, sex and site beside the squares' labels; some of them missing."""
    rng = np.random.default_rng(seed)
    frame = pd.read_csv(folder / "metadata.csv", dtype=str)
    code = frame["dx"].map({"akiec": 0, "mel": 1, "nv": 2}).to_numpy()
    n = len(frame)
    frame["age"] = (40 + 5 * code + rng.integers(0, 30, n)).astype(str)
    frame["sex"] = rng.choice(["male", "female", ""], n)
    guess = np.where(rng.random(n) < 0.5, code, rng.integers(0, 3, n))
    frame["localization"] = np.array(["arm", "leg", "back"])[guess]
    frame.loc[rng.random(n) < 0.1, ["age", "localization"]] = ""
    frame.to_csv(folder / "metadata.csv", index=False)
    return frame


def features_of(frame: pd.DataFrame, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    code = frame["dx"].map({"akiec": 0, "mel": 1, "nv": 2}).to_numpy()
    x = np.eye(3)[code] @ np.random.default_rng(0).normal(size=(3, 6))
    x = x + rng.normal(size=(len(frame), 6))
    columns = [*"abcdef"]
    return pd.DataFrame(x, columns=columns, index=pd.Index(frame["image_id"], name="image"))


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    """``runs/{network,lite,joined,meta,all}`` on ``data``; ``abroad`` has other lesions."""
    place = tmp_path_factory.mktemp("market")
    write_squares(place / "data", lesions=8, photos=2)
    write_squares(place / "abroad", lesions=4, photos=1)
    frame = more_columns(place / "data", 1)
    for name in ("image_id", "lesion_id"):
        other = pd.read_csv(place / "abroad/metadata.csv", dtype=str)
        other[name] = "X" + other[name]
        other.to_csv(place / "abroad/metadata.csv", index=False)
    rng = np.random.default_rng(5)
    for path in sorted((place / "abroad/images").iterdir()):
        from PIL import Image

        noise = rng.integers(0, 255, (48, 48, 3)).astype(np.uint8)
        Image.fromarray(noise).save(path.with_name("X" + path.name))
        path.unlink()
    away = more_columns(place / "abroad", 2)
    features_of(frame, 3).to_parquet(place / "x.parquet")
    features_of(away, 4).to_parquet(place / "abroad.parquet")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        give("cv", *SETTINGS, "--unfreeze-depth", "1", "--augment", "none", "--metadata", META,
             "--set", "evaluation.replicates=50",
             "--run", "network")  # fmt: skip
        common = ["--data", "data", "--folds", "3", "--set", "evaluation.replicates=50", "-q"]
        give("cv", *common, "--features", "x.parquet", "--run", "lite")
        give("cv", *common, "--features", "x.parquet", "--metadata", META, "--run", "joined")
        give("cv", *common, "--metadata-only", "--metadata", META, "--run", "meta")
        give("ensemble", "network", "lite", "meta", "--name", "all", "--replicates", "50")
    return place


@pytest.fixture
def stall(market, tmp_path, monkeypatch):
    shutil.copytree(market, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    return tmp_path / "copy"


def own_rows(run, found, fold):
    """Largest difference from what the run recorded of the rows this fold held out."""
    expected = run.predictions.in_order_of(found.image_ids).probabilities
    held = run.folds.held_out(fold)
    mine = np.isin(found.image_ids, run.table.image_ids[held])
    return np.abs(found.probabilities - expected)[mine].max()


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("network", {"images": "data/images", "metadata": "data/metadata.csv"}),
        ("lite", {"features": "x.parquet"}),
        ("joined", {"features": "x.parquet", "metadata": "data/metadata.csv"}),
        ("meta", {"metadata": "data/metadata.csv"}),
    ],
)
def test_each_fold_model_gives_its_held_out_rows_what_oof_says(market, name, given):
    run = read_run(market / "runs" / name)
    where = {key: market / value for key, value in given.items()}
    for fold in range(3):
        found = predict(run.folder, fold=fold, **where)
        assert len(found) == len(run.table)
        assert own_rows(run, found, fold) < 2e-5


def test_images_alone_are_predicted_with_metadata_missing_and_that_is_said(market):
    folder = market / "runs/network"
    bare = predict(folder, market / "data/images")
    assert "no metadata given: age, sex, site taken as missing" in bare.notes
    empty = pd.DataFrame({"age": "", "sex": "", "site": ""}, index=bare.image_ids)
    same = predict(folder, market / "data/images", metadata=empty)
    assert np.array_equal(same.probabilities, bare.probabilities)
    known = predict(folder, market / "data/images", metadata=market / "data/metadata.csv")
    assert np.abs(known.probabilities - bare.probabilities).max() > 0.01


def test_what_training_never_had_is_told_and_taken_as_missing(market):
    frame = pd.read_csv(market / "data/metadata.csv", dtype=str).fillna("")
    strange = frame.assign(localization=np.where(frame.index < 3, "moon", frame["localization"]))
    missing = frame.assign(localization=np.where(frame.index < 3, "", frame["localization"]))
    found = predict(market / "runs/meta", metadata=strange)
    assert any("site 'moon' (3 images) never seen in training" in note for note in found.notes)
    assert np.array_equal(
        found.probabilities, predict(market / "runs/meta", metadata=missing).probabilities
    )
    less = frame.iloc[5:]
    told = predict(market / "runs/network", market / "data/images", metadata=less).notes
    assert any("no row for 5 images" in note for note in told)


def test_the_ensemble_takes_images_features_and_metadata(market):
    whole = predict(market / "runs/all", market / "data/images", features=market / "x.parquet",
                    metadata=market / "data/metadata.csv")  # fmt: skip
    single = {
        "network": predict(market / "runs/network", market / "data/images",
                           metadata=market / "data/metadata.csv"),
        "lite": predict(market / "runs/lite", features=market / "x.parquet"),
        "meta": predict(market / "runs/meta", metadata=market / "data/metadata.csv"),
    }  # fmt: skip
    by_fold = {
        name: np.stack([
            predict(market / "runs" / name, fold=k, **{
                "network": {"images": market / "data/images",
                            "metadata": market / "data/metadata.csv"},
                "lite": {"features": market / "x.parquet"},
                "meta": {"metadata": market / "data/metadata.csv"},
            }[name]).probabilities
            for k in range(3)
        ])
        for name in single
    }  # fmt: skip
    assert all(np.array_equal(p.image_ids, whole.image_ids) for p in single.values())
    expected = open_run(market / "runs/all").apply(by_fold).to_numpy()
    assert np.abs(whole.probabilities - expected).max() < 1e-6
    frame = pd.read_parquet(market / "x.parquet")
    named = predict(market / "runs/all", market / "data/images",
                    features={"lite": frame[[*"fedcba"]].sample(frac=1, random_state=0)},
                    metadata=market / "data/metadata.csv")  # fmt: skip
    assert np.array_equal(named.probabilities, whole.probabilities), "by id and by name"


def test_files_and_resumed_files_are_what_python_gives(stall):
    give("predict", "lite", "--features", "x.parquet", "--out", "p.csv", "-q")
    frame = pd.read_csv("p.csv")
    found = open_run("lite").predict(features=Path("x.parquet"))
    assert np.array_equal(frame[["akiec", "mel", "nv"]].to_numpy(), found[["akiec", "mel", "nv"]])
    assert np.array_equal(frame["novelty"], found["novelty"])
    assert 20 < frame["novelty"].mean() < 80
    scaled = [1e6, 1, 1, 1, 1, 1]
    (pd.read_parquet("x.parquet") * scaled).to_csv("y.csv")
    give("cv", "--data", "data", "--folds", "3", "--features", "y.csv", "--run", "scaled", "-q",
         "--set", "evaluation.replicates=0")  # fmt: skip
    again = open_run("scaled").predict(features=pd.read_csv("y.csv"))["novelty"]
    assert np.abs(again - found["novelty"]).max() < 20, "a column's unit does not matter"
    assert open_run("meta").predict(metadata="data/metadata.csv")["novelty"].isna().all()


def test_validate_takes_metadata_from_the_data_and_features_from_their_file(stall):
    give("validate", "all", "--data", "abroad", "--features", "lite=abroad.parquet", "--name",
         "away", "--replicates", "20", "-q")  # fmt: skip
    judged = read_run(Path("runs/away"))
    found = predict(Path("runs/all"), Path("abroad/images"), features=Path("abroad.parquet"),
                    metadata=Path("abroad/metadata.csv"))  # fmt: skip
    ours = judged.predictions.in_order_of(found.image_ids).probabilities
    assert np.abs(ours - found.probabilities).max() < 1e-6
    shutil.rmtree("abroad/images")
    give("validate", "lite", "--data", "abroad/metadata.csv", "--features", "abroad.parquet",
         "--name", "rows", "--replicates", "20", "-q")  # fmt: skip
    assert len(read_run(Path("runs/rows")).table) == 12


def test_what_metadata_adds_is_recorded_with_its_interval_and_on_the_page(stall):
    for name in ("network", "joined"):
        rows = {row["metric"]: row for row in open_run(name).manifest.facts["metadata_adds"]}
        loss = rows["log_loss"]
        assert loss["difference"] == pytest.approx(loss["with_metadata"] - loss["without"])
        assert loss["low"] <= loss["difference"] <= loss["high"]
        give("report", name)
        page = Path("reports") / f"{name}.html"
        assert "What metadata adds" in page.read_text(encoding="utf-8")
    assert "metadata_adds" not in open_run("lite").manifest.facts


BAD = [
    (["predict", "lite", "--data", "data/images"], "give them with --features FILE"),
    (["predict", "lite", "--features", "none.npz"], "no such file"),
    (["predict", "lite", "--features", "short.parquet"], "the model's f is none"),
    (["predict", "lite", "--features", "x.parquet", "--metadata", "data/metadata.csv"],
     "sees no metadata"),
    (["predict", "meta", "--data", "data/images"], "give it with --metadata TABLE"),
    (["predict", "meta", "--metadata", "noage.csv"], "no column age"),
    (["predict", "meta", "--metadata", "twice.csv"], "listed more than once"),
    (["predict", "meta", "--metadata", "noid.csv"], "no column of image ids"),
    (["predict", "meta", "--metadata", "data/metadata.csv", "--features", "x.parquet"],
     "sees no features"),
    (["predict", "network", "--metadata", "data/metadata.csv"], "sees images"),
    (["predict", "network", "--data", "data/images", "--metadata", "abroad/metadata.csv"],
     "no row for any image"),
    (["predict", "all", "--data", "data/images", "--metadata", "data/metadata.csv"],
     "lite sees features"),
    (["predict", "all", "--data", "data/images", "--features", "x.parquet"], "meta sees metadata"),
    (["predict", "all", "--data", "data/images", "--features", "half.parquet", "--metadata",
      "data/metadata.csv"], "no features for"),
    (["predict", "all", "--data", "data/images", "--features", "x.parquet", "--features",
      "x.parquet", "--metadata", "data/metadata.csv"], "without a member's name"),
    (["predict", "lite"], "nothing to predict"),
    (["export", "network", "--to", "out"], "takes pixels alone"),
    (["export", "all", "--to", "out"], "takes pixels alone"),
    (["export", "lite", "--to", "out"], "sees no images"),
    (["explain", "lite"], "sees no images"),
    (["validate", "lite", "--data", "abroad"], "give them with --features FILE"),
    (["validate", "meta", "--data", "bare"], "no column age, sex, site"),
    (["cv", "--data", "data", "--metadata", "weight", "--backbone", "compact", "--weights", "none",
      "--image-size", "48"], "no such column"),
    (["cv", "--data", "data", "--features", "short.csv"], "no features for"),
    (["cv", "--data", "data", "--features", "none.npz"], "no such file"),
    (["cv", "--data", "data", "--features", "x.parquet", "--metadata-only"], "leave one"),
    (["cv", "--data", "data", "--metadata-only"], "needs columns"),
    (["cv", "--data", "data", "--features", "zero.parquet"], "every column has one value"),
    (["cv", "--data", "data", "--features", "nan.parquet"], "NaN or infinite"),
    (["cv", "--data", "data", "--features", "text.csv"], "holds text"),
    (["cv", "--data", "data", "--features", "doubled.parquet"], "listed more than once"),
    (["cv", "--data", "data", "--features", "data"], "npz, .parquet or .csv"),
    (["cv", "--data", "data", "--features", "x.parquet", "--backbone", "xception"],
     "has no backbone"),
    (["cv", "--data", "data", "--metadata-only", "--metadata", "sex,sex"], "named twice"),
]  # fmt: skip


def test_every_bad_input_is_one_sentence_with_exit_code_2(stall, capsys):
    x, frame = pd.read_parquet("x.parquet"), pd.read_csv("data/metadata.csv", dtype=str)
    x.drop(columns="f").to_parquet("short.parquet")
    x.iloc[1:].to_csv("short.csv")
    x.iloc[:9].to_parquet("half.parquet")
    (x * 0).to_parquet("zero.parquet")
    x.mask(x == x.iloc[3, 0]).to_parquet("nan.parquet")
    x.assign(note="soft").to_csv("text.csv")
    pd.concat([x, x.iloc[:1]]).to_parquet("doubled.parquet")
    frame.drop(columns="age").to_csv("noage.csv", index=False)
    frame.drop(columns="image_id").to_csv("noid.csv", index=False)
    pd.concat([frame, frame.iloc[:1]]).to_csv("twice.csv", index=False)
    shutil.copytree("abroad", "bare")
    bare = pd.read_csv("bare/metadata.csv", dtype=str)[["image_id", "lesion_id", "dx"]]
    bare.to_csv("bare/metadata.csv", index=False)
    before = sorted(map(str, Path("runs").iterdir()))
    for words, said in BAD:
        command = [*words, "--run", "fresh"] if words[0] == "cv" else words
        told = mistaken(capsys, *command, "-q") if words[0] != "explain" else mistaken(
            capsys, *command)  # fmt: skip
        assert said in told, (words, told)
        assert sorted(map(str, Path("runs").iterdir())) == before, words
        assert not Path("predictions.csv").exists()


def test_a_dry_run_of_a_table_reads_all_and_writes_nothing(stall):
    from typer.testing import CliRunner

    from ensemble_kit.cli.app import app

    before = sorted(map(str, Path().rglob("*")))
    done = CliRunner().invoke(app, ["cv", "--data", "data", "--folds", "3", "--features",
                                    "x.parquet", "--metadata", META, "--dry-run"])  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "48 images in 24 groups, 3 classes, 3 folds × 1; 6 features and metadata" in done.output
    assert sorted(map(str, Path().rglob("*"))) == before


def test_python_gives_what_the_command_line_gives(stall):
    import ensemble_kit as ek

    study = ek.Study(split={"folds": 3}, evaluation={"replicates": 0})
    table = ek.load_images("data")
    x = pd.read_parquet("x.parquet")
    for name, given in {
        "lite": {"features": x},
        "joined": {"features": x, "metadata": ["age", "sex", "site"]},
        "meta": {"metadata": ["age", "sex", "site"]},
    }.items():
        of = study.override({"model": {"inputs": "metadata"}}) if name == "meta" else study
        done = ek.cross_validate(table, of, name=f"py-{name}", progress=False, **given)
        pd.testing.assert_frame_equal(done.oof, open_run(name).oof, atol=1e-6)
    judged = ek.validate("py-lite", "abroad", name="py-away", features="abroad.parquet")
    rows = open_run("py-lite").predict(features="abroad.parquet")
    assert np.allclose(judged.oof.loc[rows.index], rows[judged.oof.columns], atol=1e-6)


def test_a_changed_table_model_is_refused(stall):
    path = Path("runs/lite/fold_1") / TABLE_MODEL
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(RunError, match="changed since the run wrote it"):
        predict(Path("runs/lite"), features=Path("x.parquet"))
    with pytest.raises(DataError, match="no features for"):
        predict(Path("runs/joined"), Path("abroad/images"), features=Path("x.parquet"))
