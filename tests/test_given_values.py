"""Values of another kind than a function takes: one sentence of ours, before any work."""

import pkgutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ensemble_kit as ek
from ensemble_kit.core.records import Folds
from ensemble_kit.workflows.predict import predict

P = np.random.default_rng(5).dirichlet((1, 1, 1), 60)
Y = np.arange(60) % 3


def test_no_function_has_the_name_of_a_part_of_the_package() -> None:
    """Python puts a part into the package when it is first imported, in place of the function."""
    parts = {part.name for part in pkgutil.iter_modules(ek.__path__)}
    assert not parts & set(ek.__all__)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"seed": -1}, "seed = -1: give a whole number from 0 on"),
        ({"seed": "0"}, "seed = '0': give a whole number"),
        ({"seed": 1.5}, "seed = 1.5: give a whole number"),
        ({"seed": True}, "seed = True: give a whole number"),
        ({"replicates": 1e20}, "replicates = 1e+20: give a whole number"),
        ({"replicates": float("nan")}, "replicates = nan: give a whole number"),
        ({"level": "0.9"}, "level = '0.9': give a number"),
        ({"level": float("inf")}, "level = inf: give a number"),
        ({"level": 1 - 1e-15}, "level must be at most 0.9999"),
        ({"interval": "exact"}, "interval = 'exact': give 'auto' or 'percentile' or 'bca'"),
        ({"malignant": 5}, "malignant = 5: give None or a list of texts"),
        ({"class_names": [None, "a", "b"]}, "class_names = [None, 'a', 'b']: give None or a li"),
        ({"class_names": ["", "a", "b"]}, "'' names no class: give every column a name"),
    ],
)
def test_evaluate(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ek.EnsembleKitError) as found:
        ek.evaluate(P, Y, **options)
    assert said in str(found.value)


def test_hidden_and_complex_numbers_are_not_judged() -> None:
    for odd in (P + 1j, np.ma.masked_less(P, 0.1)):
        with pytest.raises(ek.EnsembleKitError, match="no table of numbers"):
            ek.evaluate(odd, Y, replicates=0)
    assert ek.evaluate(np.ma.array(P), Y, replicates=0).figure("accuracy").value is not None


FOLDS = Folds(np.array(["a", "b"]), np.array(["a", "b"]), np.array([0, 1]), 2)
CALLS: list[tuple[Any, str]] = [
    (lambda: ek.cross_validate("sample", store_limit="x"), "store_limit = 'x': give a number"),
    (lambda: ek.cross_validate("sample", store_limit=-1), "store_limit = -1: give a number above"),
    (lambda: ek.cross_validate("sample", store_limit=float("nan")), "store_limit = nan: give a n"),
    (lambda: ek.cross_validate("sample", fractions=0.5), "fractions = 0.5: give a list of numb"),
    (lambda: ek.cross_validate("sample", fractions=["x"]), "fractions = ['x']: give a list of n"),
    (lambda: ek.cross_validate("sample", fractions=[float("nan")]), "fractions = [nan]: give"),
    (lambda: ek.cross_validate("sample", name=5), "name = 5: give text or None"),
    (lambda: ek.cross_validate("sample", name=""), "name is empty: give one, or leave it out"),
    (lambda: ek.cross_validate("sample", runs_dir=5), "runs_dir = 5: give a path"),
    (lambda: ek.cross_validate("sample", folds=[]), "folds is an empty list: give make_folds"),
    (lambda: ek.cross_validate("sample", metadata=5), "metadata = 5: give text or a list of texts"),
    (lambda: ek.cross_validate("sample", features=5), "features are a int: give a file or a Data"),
    (lambda: ek.cross_validate("sample", overwrite="no"), "overwrite = 'no': give True or False"),
    (lambda: ek.cross_validate(5), "images = 5: give load_images(...), a path or"),
    (lambda: ek.cross_validate("sample", folds=3), "folds = 3: give make_folds(...) (their number"),
    (lambda: ek.cross_validate("sample", {}), "study = {}: give Study(...) or Study.read(FILE)"),
    (lambda: ek.make_folds("sample"), "images = 'sample': give load_images(...)"),
    (lambda: ek.tune(trials=1.5), "trials = 1.5: give a whole number or None"),
    (lambda: ek.tune(trials=0), "trials = 0: give a number above 0"),
    (lambda: ek.tune(jobs=0), "jobs = 0: give a whole number from 1 on"),
    (lambda: ek.Study.read(None), "path = None: give a path"),
    (lambda: ek.Study(model=5), "model must be a table of settings (given 5)"),
    (lambda: ek.Study(model={"dropout": True}), "model.dropout is not valid: true and false are"),
    (lambda: ek.load_images(5), "path = 5: give a path or None"),
    (lambda: ek.open_run(5), "name = 5: give a path or None"),
    (lambda: ek.ensemble(5), "members = 5: give"),
    (lambda: ek.ensemble(None), "members = None: give"),
    (lambda: ek.ensemble(["m"], seed="1"), "seed = '1': give a whole number"),
    (lambda: ek.ensemble(["m"], costs=5), "costs = 5: give a path or None"),
    (lambda: ek.ensemble(["m"], name=""), "name is empty"),
    (lambda: ek.ensemble(["m"], prevalence="a=1"), "prevalence = 'a=1': give a mapping of classes"),
    (lambda: ek.ensemble(["m"], prevalence={"a": "1"}), "prevalence of a = '1': give a number"),
    (lambda: ek.ensemble(["m"], set_level="high"), "set_level = 'high': give a number"),
    (lambda: ek.report("m", compare=5), "compare = 5: give"),
    (lambda: ek.explain("m", 0.5), "images = 0.5: give a whole number, text or a list of texts"),
    (lambda: ek.explain("m", of="both"), "of = 'both': give 'predicted' or 'true'"),
    (lambda: ek.export("m", "to", coverage="0.9"), "coverage = '0.9': give a number or None"),
    (lambda: ek.validate("m", "data", name=None), "name = None: give text"),
    (lambda: ek.open_run("x" * 5000), "5,000 letters are too many for a path"),
    (lambda: ek.Study.read("a\0b"), "a path holds no NUL"),
    (lambda: ek.export("m", "a\0b"), "a path holds no NUL"),
    (lambda: predict("m", 5), "images are int: give a folder, files"),
    (lambda: predict("m", b"d"), "images are bytes: give a folder, files"),
    (lambda: predict("m", ["a.png", 5]), "a.png does not exist: name a folder"),
    (lambda: predict("m", [5]), "images: 5 is no path"),
    (lambda: predict("m", ""), "images: '' is no path"),
    (lambda: predict("m", "x" * 5000), "5,000 letters are too many for a path"),
    (lambda: next(FOLDS.split(5)), "X = 5 has no rows: give one row for each image"),
    (lambda: ek.evaluate(P, Y, replicates=0).plot_roc(ax=5), "ax = 5: give matplotlib axes"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "said"), CALLS, ids=[str(k) for k in range(len(CALLS))])
def test_one_sentence_and_nothing_written(
    call: Any, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ek.EnsembleKitError) as found:
        call()
    assert said in str(found.value)
    assert "\n" not in str(found.value)
    assert not list(tmp_path.iterdir())


def test_numbers_of_numpy_are_numbers() -> None:
    found = ek.evaluate(P, Y, seed=np.int64(3), replicates=np.int32(0), level=np.float32(0.9))
    assert found.figure("accuracy").value is not None
