"""Predicting new images: the run's own figures come back, whatever way the images are given."""

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from ensemble_kit.cli.app import main
from ensemble_kit.core.errors import DataError, RunError, StudyError
from ensemble_kit.data.decode import decode
from ensemble_kit.data.new_images import NewImage, find_new_images, read_new_image
from ensemble_kit.runs.folder import read_run
from ensemble_kit.workflows import pieces as predicting
from ensemble_kit.workflows.predict import predict, predict_to_file
from ensemble_kit.workflows.predict_stream import PredictOptions
from ensemble_kit.workflows.predicted import Bounds, parse_bounds
from ensemble_kit.workflows.shipped import open_shipped

keras = pytest.importorskip("keras")


def mistaken(capsys, *arguments) -> str:
    """What a mistaken command says; asserts exit code 2, one sentence and no traceback."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["cli.py", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
    said = capsys.readouterr().err
    assert left.value.code == 2, said
    assert len(said.splitlines()) == 1
    return said


@pytest.mark.parametrize("name", ["tail", "head"])
def test_each_fold_model_gives_its_held_out_images_what_oof_says(shop, name):
    run = read_run(shop / "runs" / name)
    for fold in range(3):
        held = run.folds.held_out(fold)
        files = [shop / "data" / path for path in run.table.paths[held]]
        found = predict(run.folder, files, fold=fold)
        expected = run.predictions.in_order_of(found.image_ids).probabilities
        assert np.abs(found.probabilities - expected).max() < 2e-6
        assert (found.spread < 1e-12).all()


def test_the_run_is_the_mean_of_its_folds_and_the_ensemble_its_chain(shop):
    tail, head = shop / "runs/tail", shop / "runs/head"
    data = shop / "data/images"
    by_fold = [predict(tail, data, fold=k).probabilities for k in range(3)]
    whole = predict(tail, data)
    assert np.abs(whole.probabilities - np.mean(by_fold, axis=0)).max() < 1e-6
    both = predict(shop / "runs/both", data)
    bundle = open_shipped(shop / "runs/both").bundle
    others = [predict(head, data, fold=k).probabilities for k in range(3)]
    chained = bundle.apply_folds({"tail": np.stack(by_fold), "head": np.stack(others)})
    assert np.abs(both.probabilities - chained).max() < 1e-6
    p = np.stack(by_fold)
    log = np.log(np.clip(p, 1e-300, None))
    mean = p.mean(axis=0)
    by_hand = -(mean * np.log(mean)).sum(1) + (p * log).sum(2).mean(0)
    assert np.allclose(whole.spread, by_hand, atol=1e-6)


def test_cross_conformal_sets_take_each_fold_with_its_own_chain(place, capsys):
    from tests.workflows.conftest import give

    give("ensemble", "tail", "head", "--name", "crossed", "--replicates", "50",
         "--set-method", "cross", "--set-level", "0.6", "--set-scope", "marginal")  # fmt: skip
    data, bundle = Path("data/images"), open_shipped(Path("runs/crossed")).bundle
    found = predict(Path("runs/crossed"), data)
    stacks = [
        np.stack([predict(Path("runs") / m, data, fold=k).probabilities for m in bundle.members])
        for k in range(3)
    ]
    by_fold = np.stack([c.apply(p) for c, p in zip(bundle.inner, stacks, strict=True)])
    assert np.array_equal(found.sets, bundle.sets.sets(by_fold, found.probabilities))
    wider = predict(Path("runs/crossed"), data, coverage=0.8)
    assert (found.sets <= wider.sets).all()
    said = mistaken(capsys, "export", "crossed", "--to", "shipped", "-q")
    assert "--set-method threshold" in said


def test_the_prefix_is_in_the_graph_once(shop):
    member = open_shipped(shop / "runs/tail").members[0]
    ensemble = member.ensemble
    assert (ensemble.depth, len(ensemble.tails)) == (2, 3)
    whole = keras.models.load_model(member.folds[0].file.path, compile=False)
    prefix = ensemble.prefix.count_params()
    tails = sum(tail.count_params() for tail in ensemble.tails)
    assert prefix + tails == ensemble.network.count_params()
    assert prefix + tails / 3 == whole.count_params()


def test_folds_that_differ_before_the_cut_are_kept_apart(shop, tmp_path):
    from ensemble_kit.core.atomic import sha256_of_file
    from ensemble_kit.models import find_backbone
    from ensemble_kit.models.fold_ensemble import ModelFile, open_fold_ensemble

    files = [f.file for f in open_shipped(shop / "runs/tail").members[0].folds]
    other = keras.models.load_model(files[1].path, compile=False)
    other.get_layer("block1_conv").set_weights(
        [w * 1.5 for w in other.get_layer("block1_conv").get_weights()]
    )
    other.save(tmp_path / "other.keras")
    files = [
        files[0],
        ModelFile(tmp_path / "other.keras", sha256_of_file(tmp_path / "other.keras")),
    ]
    opened = open_fold_ensemble(files, find_backbone("compact"), 2)
    pixels = np.random.default_rng(0).integers(0, 256, (4, 48, 48, 3)).astype(np.uint8)
    out = opened.predict(pixels)
    for k, file in enumerate(files):
        model = keras.models.load_model(file.path, compile=False)
        assert np.abs(out.probabilities[k] - model.predict_on_batch(pixels)).max() < 1e-6


def test_folder_files_table_and_arrays_are_one(shop, tmp_path):
    run = shop / "runs/tail"
    images = sorted((shop / "data/images").iterdir())[:5]
    table = tmp_path / "some.csv"
    table.write_text("image,path\n" + "".join(f"x{i},{p}\n" for i, p in enumerate(images)))
    by_files = predict(run, images)
    assert by_files.image_ids.tolist() == [p.stem for p in images]
    assert np.array_equal(predict(run, table).probabilities, by_files.probabilities)
    pixels = np.stack([np.asarray(Image.open(p)) for p in images])
    assert np.array_equal(predict(run, pixels).probabilities, by_files.probabilities)
    assert np.array_equal(predict(run, list(pixels)).probabilities, by_files.probabilities)
    frame = by_files.to_frame()
    assert list(frame.columns[:4]) == ["image", "akiec", "mel", "nv"]
    assert list(frame.columns[4:]) == ["decision", "set", "spread", "novelty"]
    for _, row in frame.iterrows():
        assert row["decision"] in row["set"].split()


def test_arrays_of_another_size_are_fitted_as_files_are(shop, tmp_path):
    pixels = np.random.default_rng(1).integers(0, 256, (60, 90, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    one, other = (predict(shop / "runs/tail", given) for given in ([pixels], tmp_path / "wide.png"))
    assert np.array_equal(one.probabilities, other.probabilities)
    assert decode(tmp_path / "wide.png", 48, "crop").shape == (48, 48, 3)


def test_what_is_no_square_stands_out(shop):
    plain = np.stack([np.full((48, 48, 3), grey, np.uint8) for grey in (0, 128, 255)])
    assert (predict(shop / "runs/tail", plain).novelty == 100).all()
    usual = predict(shop / "runs/tail", shop / "data/images")
    assert np.median(usual.novelty) < 60


def test_sets_at_another_coverage_are_larger(shop):
    data = shop / "data/images"
    sizes = [predict(shop / "runs/tail", data, coverage=c).sets.sum() for c in (0.6, 0.9, 0.95)]
    assert sizes[0] <= sizes[1] <= sizes[2]
    with pytest.raises(RunError, match="coverage"):
        predict(shop / "runs/tail", data, coverage=1.0)


def test_bounds_mark_or_leave_out(shop):
    data = shop / "data/images"
    usual = predict(shop / "runs/tail", data)
    limit = float(np.median(usual.probabilities.max(axis=1)))
    bounds = parse_bounds(f"novelty=80, confidence={limit!r}")
    marked = predict(shop / "runs/tail", data, options=PredictOptions(bounds=bounds))
    why = marked.rejected != ""
    assert np.array_equal(why, (marked.novelty > 80) | (marked.probabilities.max(axis=1) < limit))
    assert "rejected" in marked.to_frame()
    left = predict(shop / "runs/tail", data, options=PredictOptions(bounds=bounds, drop=True))
    assert len(left) == (~why).sum() > 0
    with pytest.raises(StudyError, match="novelty=99"):
        parse_bounds("colour=3")
    assert Bounds().reasons({}) == ""


def test_an_interrupted_call_goes_on_where_it_stopped(place, monkeypatch):
    run, data, out = place / "runs/tail", place / "data/images", place / "p.csv"
    options = PredictOptions(batch=10)
    predict_to_file(run, data, place / "whole.csv", options=options)
    calls = []

    def told(kind, **facts):
        calls.append(kind)
        if len(calls) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict_to_file(run, data, out, options=options, tell=told)
    assert not out.exists()
    read = []
    kept = predicting.read_new_image
    monkeypatch.setattr(
        predicting, "read_new_image", lambda image, *a: read.append(image) or kept(image, *a)
    )
    predict_to_file(run, data, out, options=options)
    assert len(read) == 48 - 20
    assert out.read_bytes() == (place / "whole.csv").read_bytes()
    assert not list(place.glob(".p.csv*"))
    frame = pd.read_csv(out)
    in_python = predict(run, data, options=options)
    assert np.array_equal(frame[["akiec", "mel", "nv"]].to_numpy(), in_python.probabilities)


def test_parquet_holds_the_same(place):
    pytest.importorskip("pyarrow")
    for name in ("p.csv", "p.parquet"):
        predict_to_file(place / "runs/both", place / "data/images", place / name)
    one, other = pd.read_csv(place / "p.csv"), pd.read_parquet(place / "p.parquet")
    assert one["set"].tolist() == other["set"].tolist()
    assert np.array_equal(one["mel"], other["mel"])


def test_damaged_images_are_named_and_skipped_only_when_asked(place, capsys):
    images = place / "data/images"
    good = sorted(images.glob("*.png"))
    (images / "empty.png").write_bytes(b"")
    (images / "text.jpg").write_text("no image")
    (images / "cut.png").write_bytes(good[0].read_bytes()[:300])
    Image.new("RGB", (3, 3)).save(images / "tiny.png")
    said = mistaken(capsys, "predict", "tail", "--data", images, "--out", "p.csv", "-q",
                    "--batch-size", "100")  # fmt: skip
    for name in ("empty.png: empty", "text.jpg: not a JPEG", "cut.png", "tiny.png: 3×3"):
        assert name in said
    assert not list(Path().glob("*p.csv*")), "nothing was predicted, so nothing is kept"
    options = PredictOptions(skip_damaged=True)
    found = predict(place / "runs/tail", images, options=options)
    assert len(found) == len(good)
    assert len(found.skipped) == 4


def test_bad_input_is_one_sentence(place, capsys, tmp_path):
    def refused(*words):
        return mistaken(capsys, "predict", *words, "-q")

    images = "data/images"
    assert "nothing to predict" in refused("tail")
    assert "no run named" in refused("none", "--data", images)
    assert "does not exist" in refused("tail", "--data", "nowhere")
    (tmp_path / "void").mkdir()
    assert "no JPEG or PNG" in refused("tail", "--data", tmp_path / "void")
    assert ".csv or .parquet" in refused("tail", "--data", images, "--out", "p.xlsx")
    assert "no fold 7" in refused("tail", "--data", images, "--fold", 7)
    assert "is an ensemble" in refused("both", "--data", images, "--fold", 0)
    model = Path("runs/tail/fold_1/model.keras")
    kept = model.read_bytes()
    model.write_bytes(kept + b" ")
    assert "changed since" in refused("tail", "--data", images)
    assert "changed since" in refused("both", "--data", images)
    model.unlink()
    assert "missing" in refused("tail", "--data", images)
    model.write_bytes(kept)
    manifest = Path("runs/tail/manifest.json")
    facts = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(facts | {"status": "running"}))
    assert "not finished" in refused("tail", "--data", images)
    manifest.write_text(json.dumps(facts | {"format_version": 0}))
    assert "format version 0" in refused("tail", "--data", images)
    assert not list(Path().glob("*.csv"))


def test_tables_have_no_models(place, capsys):
    from tests.workflows.conftest import give

    give("evaluate", "--predictions", "runs/tail/oof.csv", "--truth", "data", "--name", "table",
         "--replicates", "0", "-q")  # fmt: skip
    said = mistaken(capsys, "predict", "table", "--data", "data/images")
    assert "no models" in said


def test_code_in_a_model_file_is_not_run(place, capsys):
    from ensemble_kit.runs.manifest import record_files

    run = place / "runs/tail"
    pixels = keras.Input((48, 48, 3))
    x = keras.layers.Lambda(lambda t: t * 2.0)(pixels)
    x = keras.layers.GlobalAveragePooling2D()(x)
    keras.Model(pixels, keras.layers.Dense(3, activation="softmax")(x)).save(
        run / "fold_0/model.keras"
    )
    record_files(run, ["fold_0/model.keras"])
    said = mistaken(capsys, "predict", "tail", "--data", "data/images", "-q")
    assert "safe mode" in said


def test_arrays_of_another_kind_are_refused(shop):
    with pytest.raises(DataError, match="uint8 RGB"):
        predict(shop / "runs/tail", np.zeros((2, 48, 48, 3)))
    with pytest.raises(DataError, match="uint8 RGB"):
        predict(shop / "runs/tail", np.zeros((0, 48, 48, 3), np.uint8))


def test_hostile_places_are_refused_and_files_stay(place, capsys):
    def refused(*words):
        return mistaken(capsys, "predict", "tail", *words, "-q")

    images = "data/images"
    before = sorted(path for path in Path("runs").rglob("*"))
    assert "in the run's folder" in refused("--data", images, "--out", "runs/tail/fold_0/p.csv")
    Path("list.csv").write_text("path\n" + "\n".join(map(str, sorted(Path(images).iterdir()))))
    assert "is what is to be predicted" in refused("--data", "list.csv", "--out", "list.csv")
    Path("p.csv").write_text("mine")
    assert "is there already" in refused("--data", images, "--out", "p.csv")
    assert Path("p.csv").read_text() == "mine"
    Path("d.csv").mkdir()
    assert "is a folder" in refused("--data", images, "--out", "d.csv")
    os.mkfifo("pipe.jpg")
    assert "neither a regular file nor a folder" in refused("pipe.jpg", "--out", "q.csv")
    with pytest.raises(DataError, match="not a regular file"):
        read_new_image(NewImage("pipe", Path("pipe.jpg")), 48, "crop")
    assert sorted(path for path in Path("runs").rglob("*")) == before
    assert not Path("q.csv").exists()


def test_every_file_has_an_id_of_its_own_and_is_there_once(place):
    one = sorted(Path("data/images").iterdir())[0]
    for folder in ("a", "b"):
        Path(folder).mkdir()
        shutil.copy(one, Path(folder) / f"x{one.suffix}")
    shutil.copy(one, Path("a") / f"y{one.suffix}")
    both = find_new_images(["a", "b"])
    assert [image.image_id for image in both] == [
        path.as_posix() for path in sorted([*Path("a").iterdir(), *Path("b").iterdir()])
    ]
    again = find_new_images([one, one, Path("a/..") / one, "data/images"])
    assert len(again) == len(list(Path("data/images").iterdir()))
    assert again[0].image_id == one.stem
    shutil.copy(one, Path("a/x.jpeg"))
    assert len({image.image_id for image in find_new_images("a")}) == 3
