"""Small run folders to report, made with the program's own functions."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ensemble_kit.core.records import Folds, ImageTable, Predictions
from ensemble_kit.metrics.evaluation import evaluate
from ensemble_kit.runs.folder import Run, read_run
from ensemble_kit.study import EvaluationSpec, StudySpec
from ensemble_kit.workflows.evaluating import Evaluated, write_evaluated

NAMES = ("akiec", "mel", "nv", "vasc")
HOSTILE = (
    "<script>window.pwned=1</script>",
    "\"'><img src=x onerror=window.pwned=1>",
    "../../etc/passwd\u200f مرحبا",
    "x" * 200,
)
LONG = (
    "atypical melanocytic proliferation",
    "seborrhoeic_keratosis_pigmented",
    "dermatofibrosarcomaprotuberans",
    "pyogenic-granuloma-or-haemangioma",
)
MakeRun = Callable[..., Run]


def lesion_table(
    n_groups: int = 90, names: tuple[str, ...] = NAMES, seed: int = 0, hostile: bool = False
) -> ImageTable:
    """Groups of one to three images, four classes, two metadata columns."""
    random = np.random.default_rng(seed)
    sizes = random.integers(1, 4, n_groups)
    group = np.repeat(np.arange(n_groups), sizes)
    label = np.repeat(random.choice(len(names), n_groups, p=[0.2, 0.25, 0.4, 0.15]), sizes)
    n = len(group)
    mark = "</script><b onclick='window.pwned=1'>" if hostile else "image"
    sexes = np.array(["male", "female", "<i>&amp;\"'</i>" if hostile else ""])
    return ImageTable(
        image_ids=np.array([f"{mark}{i:04d}" for i in range(n)]),
        groups=np.array([f"lesion{g:03d}" for g in group]),
        labels=label.astype(np.int64),
        class_names=names,
        lesions=np.array([f"lesion{g:03d}" for g in group]),
        patients=np.array([""] * n),
        paths=np.array([""] * n),
        slices={
            "sex": sexes[random.integers(0, 3, n)],
            "age": random.integers(10, 90, n).astype(str),
        },
    )


def guesses(table: ImageTable, skill: float = 1.5, seed: int = 1) -> Predictions:
    random = np.random.default_rng(seed)
    logits = random.normal(size=(len(table), table.n_classes))
    logits[np.arange(len(table)), table.labels] += skill
    p = np.exp(logits)
    return Predictions(table.image_ids, table.class_names, p / p.sum(axis=1, keepdims=True))


def folds_of(table: ImageTable, n_folds: int = 3, leak: bool = False) -> Folds:
    codes = np.arange(len(table)) if leak else table.group_codes
    return Folds(table.image_ids, table.groups, codes % n_folds, n_folds)


@pytest.fixture(scope="session")
def make_run(tmp_path_factory: pytest.TempPathFactory) -> MakeRun:
    """make(name, table=…, predictions=…, folds=…, **spec) writes a run and reads it back."""
    runs = tmp_path_factory.mktemp("runs")

    def make(
        name: str,
        table: ImageTable | None = None,
        predictions: Predictions | None = None,
        folds: Folds | None = None,
        runs_dir: Path = runs,
        **study: object,
    ) -> Run:
        table = table or lesion_table()
        predictions = predictions or guesses(table)
        folds = folds or folds_of(table)
        spec = study.get("evaluation") or EvaluationSpec(malignant=("mel", "akiec"), replicates=200)
        assert isinstance(spec, EvaluationSpec)
        whole = StudySpec.model_validate({"name": name, "evaluation": spec} | study)
        numbers = evaluate(table, folds, predictions, spec)
        work = Evaluated(whole, table, folds, predictions, numbers, seed=0)
        return read_run(write_evaluated(runs_dir, work))

    return make


@pytest.fixture(scope="session")
def plain_run(make_run: MakeRun) -> Run:
    return make_run("plain")


@pytest.fixture(scope="session")
def hostile_run(make_run: MakeRun) -> Run:
    return make_run("hostile", table=lesion_table(names=HOSTILE, hostile=True))
