"""The public Python names: what a notebook does, whole, on small data."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import ensemble_kit as ek
from tests.training.conftest import write_squares

SMALL = {
    "split": {"folds": 3},
    "model": {"backbone": "compact", "weights": "none", "image_size": 48, "unfreeze_depth": 2},
    "training": {"head_epochs": 1, "fine_tune_epochs": 1, "views": 1, "batch_size": 16},
    "evaluation": {"replicates": 200},
}


@pytest.fixture(scope="module")
def squares(tmp_path_factory):
    return write_squares(tmp_path_factory.mktemp("squares"))


def drawn(n=240, seed=0):
    """Probabilities, labels and groups with a known order: the likelier class is the label."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    logits = rng.normal(size=(n, 3)) + 2.0 * np.eye(3)[labels]
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return p, labels, np.arange(n) // 3


def test_every_public_name_is_there_and_has_a_docstring():
    for name in ek.__all__:
        thing = getattr(ek, name)
        if name != "__version__":
            assert (thing.__doc__ or "").strip(), name
    assert set(ek.__all__) <= set(dir(ek))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        ek.nothing  # noqa: B018


def test_importing_the_package_loads_no_framework_and_next_to_nothing():
    code = (
        "import sys, ensemble_kit; print([m for m in ('keras', 'tensorflow', 'jax', 'torch', "
        "'optuna', 'pandas', 'numpy', 'sklearn', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


class TestEvaluate:
    def test_figures_equal_scikit_learns(self):
        from sklearn.metrics import log_loss, roc_auc_score

        p, labels, groups = drawn()
        found = ek.evaluate(p, labels, groups=groups, class_names=["a", "b", "c"], replicates=200)
        assert found.figure("log_loss").value == pytest.approx(log_loss(labels, p), abs=1e-12)
        auc = roc_auc_score(labels, p, multi_class="ovr")
        assert found.figure("roc_auc_ovr").value == pytest.approx(auc, abs=1e-12)
        estimate = found.figure("accuracy")
        assert estimate.low < estimate.value < estimate.high
        assert estimate.n_groups == 80

    def test_frames_series_and_names_give_the_same_as_arrays(self):
        p, labels, groups = drawn()
        names = np.array(["nv", "mel", "bkl"])
        index = [f"image {i}" for i in range(len(p))]
        frame = pd.DataFrame(p, index, list(names))
        shuffled = pd.Series(names[labels], index).sample(frac=1, random_state=0)
        by_name = ek.evaluate(frame, shuffled, groups=pd.Series(groups, index), replicates=50)
        plain = ek.evaluate(p, labels, groups=groups, class_names=list(names), replicates=50)
        left, right = by_name.to_frame(), plain.to_frame()
        pd.testing.assert_frame_equal(left, right)
        assert {"scope", "class", "metric", "value", "low", "high", "n_groups"} <= set(left)
        assert "malignant" in set(left["class"])
        assert by_name.curves

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"labels": np.full(240, 3)}, "label 3 is none of the classes"),
            ({"labels": np.zeros(3, int)}, "3 labels for 240 rows"),
            ({"groups": np.zeros(3)}, "3 groups for 240 rows"),
            ({"class_names": ["a", "b"]}, "class names"),
            ({"class_names": ["a", "b", "b"]}, "each once"),
            ({"malignant": ["mel"]}, "malignant mel"),
            ({"probabilities": np.ones((240, 3))}, "do not sum to 1"),
            ({"probabilities": np.ones(240)}, r"give \(n, C\)"),
            ({"interval": "exact"}, "'percentile' or 'bca'"),
        ],
    )
    def test_what_is_given_wrongly_is_one_sentence(self, changes, said):
        p, labels, groups = drawn()
        given = {"probabilities": p, "labels": labels, "groups": groups} | changes
        with pytest.raises(ek.EnsembleKitError, match=said):
            ek.evaluate(**given)


class TestFolds:
    def test_they_are_a_scikit_learn_splitter(self, squares):
        from sklearn.dummy import DummyClassifier
        from sklearn.model_selection import cross_val_score

        images = ek.load_images(squares)
        folds = ek.make_folds(images, folds=3, seed=1)
        x = np.zeros((len(images), 1))
        scores = cross_val_score(DummyClassifier(), x, images.labels, cv=folds)
        assert len(scores) == folds.get_n_splits() == 3
        for train, test in folds.split(x, images.labels, images.groups):
            assert not set(images.groups[train]) & set(images.groups[test])
            assert len(train) + len(test) == len(images)
        with pytest.raises(ek.EnsembleKitError, match="5 rows"):
            next(folds.split(np.zeros((5, 1))))

    def test_a_table_of_images_shows_what_is_in_it(self, squares):
        images = ek.load_images(squares)
        frame = images.to_frame()
        assert list(frame.columns[:5]) == ["label", "group", "lesion", "patient", "path"]
        assert len(frame) == len(images) == 108
        assert "108 images in 36 groups: akiec 36, mel 36, nv 36" in repr(images)


class TestStudy:
    def test_a_setting_that_is_none_is_a_study_error(self):
        with pytest.raises(ek.EnsembleKitError, match=r"model\.size is not a setting"):
            ek.Study(model={"size": 3})
        with pytest.raises(ek.EnsembleKitError, match="at least 32"):
            ek.Study(model={"image_size": 3})

    def test_a_study_in_python_is_the_study_of_a_file(self, tmp_path):
        path = tmp_path / "s.toml"
        path.write_text("[model]\nimage_size = 150\n", encoding="utf-8")
        assert ek.Study.read(path).digest == ek.Study(model={"image_size": 150}).digest


@pytest.fixture(scope="module")
def run(squares, tmp_path_factory):
    pytest.importorskip("keras")
    place = tmp_path_factory.mktemp("api")
    return ek.cross_validate(
        squares, ek.Study(**SMALL), name="mine", runs_dir=place / "runs",
        store_dir=place / "store", progress=False,
    )  # fmt: skip


class TestRun:
    def test_tables_are_in_one_order_and_agree(self, run, squares):
        images = ek.load_images(squares)
        assert list(run.oof.index) == list(run.labels.index) == list(run.folds.index)
        assert list(run.oof.columns) == list(images.class_names)
        np.testing.assert_allclose(run.oof.sum(axis=1), 1, atol=1e-9)
        assert (run.labels == np.array(images.class_names)[images.labels]).all()
        figure = run.metrics.query("scope == 'pooled' and metric == 'accuracy' and slice == ''")
        share = (run.oof.idxmax(axis=1) == run.labels).mean()
        assert figure["value"].iloc[0] == pytest.approx(share, abs=1e-12)
        assert run.manifest.status == "complete"

    def test_a_fold_model_gives_the_out_of_fold_rows_back(self, run, squares):
        from ensemble_kit.stores.pixels import fill_pixels

        images = ek.load_images(squares)
        store = run.folder.parent.parent / "store"
        pixels = np.asarray(fill_pixels(images, 48, "crop", store, jobs=1).array)
        held = run.folds["fold"].to_numpy() == 1
        given = run.fold_model(1).predict(pixels[held], verbose=0)
        np.testing.assert_allclose(given, run.oof[held], atol=1e-5)
        with pytest.raises(ek.EnsembleKitError, match="no model of fold 7"):
            run.fold_model(7)

    def test_figures_are_drawn_inline(self, run):
        from matplotlib import pyplot
        from sklearn.metrics import confusion_matrix

        given = pyplot.subplots()[1]
        assert run.plot_confusion(ax=given) is given
        counts = [int(text.get_text()) for text in given.texts]
        wanted = confusion_matrix(run.labels, run.oof.idxmax(axis=1), labels=run.class_names)
        assert counts == wanted.ravel().tolist()
        assert run.plot_roc() is not run.plot_reliability()
        pyplot.close("all")
        html = run._repr_html_()
        assert "mine" in html
        assert "macro AUC" in html
        history = run.history
        assert sorted(set(history["fold"])) == [0, 1, 2]
        assert np.isfinite(history["loss"]).all()

    def test_new_images_are_predicted_by_the_fold_models(self, run, squares):
        images = ek.load_images(squares)
        held = run.folds["fold"].to_numpy() == 1
        files = [squares / path for path in images.paths[held]]
        one = run.predict(files, fold=1)
        assert list(one.index) == list(run.oof.index[held])
        given = one[list(images.class_names)]
        np.testing.assert_allclose(given, run.oof[held], atol=1e-5)
        assert set(one["decision"]) <= set(images.class_names)
        several = run.predict(np.zeros((2, 48, 48, 3), np.uint8))
        np.testing.assert_allclose(several[list(images.class_names)].sum(axis=1), 1, atol=1e-6)

    def test_the_same_call_returns_the_finished_run(self, run, squares):
        again = ek.cross_validate(
            squares, ek.Study(**SMALL), name="mine", runs_dir=run.folder.parent,
            store_dir=run.folder.parent.parent / "store", progress=False,
        )  # fmt: skip
        pd.testing.assert_frame_equal(again.oof, run.oof)
        other = SMALL | {"model": SMALL["model"] | {"dropout": 0.7}}
        with pytest.raises(ek.EnsembleKitError, match=r"model\.dropout is 0\.3 there, 0\.7 here"):
            ek.cross_validate(
                squares, ek.Study(**other), name="mine", runs_dir=run.folder.parent,
                store_dir=run.folder.parent.parent / "store", progress=False,
            )  # fmt: skip

    def test_an_ensemble_is_applied_to_new_rows(self, run, tmp_path):
        table = run.oof.copy()
        rng = np.random.default_rng(0)
        noisy = table.to_numpy() * rng.uniform(0.5, 1.5, table.shape)
        other = pd.DataFrame(noisy / noisy.sum(axis=1, keepdims=True), table.index, table.columns)
        other.to_csv(tmp_path / "other.csv")
        both = ek.ensemble([run, tmp_path / "other.csv"], method="mean", calibrate="temperature",
                           runs_dir=tmp_path / "runs")  # fmt: skip
        assert both.kind == "ensemble"
        applied = both.apply({"mine": run.oof.iloc[:7], "other": other.iloc[:7]})
        assert list(applied.index) == list(run.oof.index[:7])
        np.testing.assert_allclose(applied.sum(axis=1), 1)
        swapped = both.apply({"other": other.iloc[:7].to_numpy(), "mine": run.oof.iloc[:7]})
        np.testing.assert_allclose(swapped, applied)
        turned = {"mine": run.oof.iloc[:7], "other": other.iloc[6::-1]}
        np.testing.assert_allclose(both.apply(turned), applied)
        with pytest.raises(ek.EnsembleKitError, match="given were mine"):
            both.apply({"mine": run.oof})
        for wrong, said in (
            (other.iloc[:9], "other rows than the first"),
            (other.iloc[1:8], "other rows than the first"),
            (pd.concat([other.iloc[:6], other.iloc[:1]]), "more than once"),
            (other.iloc[:7] * 2, "do not sum to 1"),
            ("other.csv", "no table of numbers"),
        ):
            with pytest.raises(ek.EnsembleKitError, match=said):
                both.apply({"mine": run.oof.iloc[:7], "other": wrong})
        with pytest.raises(ek.EnsembleKitError, match="no setting"):
            ek.ensemble([run], magic=True, runs_dir=tmp_path / "runs")
        page = ek.report(both, to=tmp_path / "page.html")
        assert "<title>" in page.read_text(encoding="utf-8")

    def test_a_run_is_opened_by_folder_by_name_or_as_the_latest(self, run):
        runs_dir = run.folder.parent
        for opened in (ek.open_run(run.folder), ek.open_run("mine", runs_dir=runs_dir),
                       ek.open_run(runs_dir=runs_dir)):  # fmt: skip
            assert opened.folder == run.folder
            assert repr(opened).startswith("<cv run 'mine': 108 images")
        with pytest.raises(ek.EnsembleKitError, match="no run named 'yours'"):
            ek.open_run("yours", runs_dir=runs_dir)


@pytest.mark.slow
def test_the_readmes_python_runs_as_written(project, tmp_path):
    pytest.importorskip("keras")
    blocks = re.findall(r"```python\n(.*?)```", (project / "README.md").read_text(), flags=re.S)
    assert len(blocks) == 1
    shutil.copytree(project / "studies", tmp_path / "studies")
    done = subprocess.run([sys.executable, "-c", blocks[0]], cwd=tmp_path, capture_output=True,
                          text=True, timeout=500, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "page.html").is_file()


@pytest.mark.parametrize(
    "call",
    [
        lambda: ek.make_folds("sample"),
        lambda: ek.cross_validate("sample", jobs=0),
        lambda: ek.cross_validate("sample", folds=3),
        lambda: ek.cross_validate("sample", {"model": {}}),
        lambda: ek.cross_validate(pd.DataFrame({"a": [1]})),
        lambda: ek.ensemble("no such run"),
        lambda: ek.report("no such run", compare="nor this"),
    ],
)
def test_what_is_given_wrongly_is_one_sentence(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ek.EnsembleKitError) as found:
        call()
    assert "\n" not in str(found.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("asked", [{"folds": 2.5}, {"seed": -1}, {"seed": "x"}, {"folds": 1}])
def test_folds_and_seeds_are_whole_numbers(asked):
    images = ek.load_images("sample")
    with pytest.raises(ek.EnsembleKitError, match="give a whole number"):
        ek.make_folds(images, **asked)


def test_an_empty_text_is_no_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    calls = [
        lambda: ek.cross_validate(images=""), lambda: ek.cross_validate(store_dir=""),
        lambda: ek.cross_validate(runs_dir=" "), lambda: ek.load_images(""),
        lambda: ek.open_run(""), lambda: ek.ensemble(["", "b.csv"]), lambda: ek.report(""),
        lambda: ek.ensemble(["a.csv"], runs_dir=""), lambda: ek.load_images(" "),
        lambda: ek.ensemble(["a.csv"], truth=""), lambda: ek.export("", "k"),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(ek.EnsembleKitError, match="is empty"):
            call()
    assert not list(tmp_path.iterdir())
