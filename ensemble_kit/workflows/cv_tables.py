"""`cv` of a table: features made elsewhere, metadata, or both, under the folds of any other run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

from ensemble_kit.core.digests import digest_of
from ensemble_kit.core.errors import RunError, StudyError
from ensemble_kit.core.listening import Tell, say_nothing
from ensemble_kit.core.records import Folds, ImageTable
from ensemble_kit.data.features import features_of, read_features, without_constant
from ensemble_kit.data.giveaways import asked_columns
from ensemble_kit.metrics.slices import make_slices
from ensemble_kit.metrics.view import check_names_of_view
from ensemble_kit.models.draws import FoldSeed
from ensemble_kit.runs.folds import FoldDone
from ensemble_kit.runs.manifest import read_manifest
from ensemble_kit.runs.paths import fold_folder
from ensemble_kit.splits import check_folds
from ensemble_kit.study import StudySpec
from ensemble_kit.study.cluster import ClusterSpec
from ensemble_kit.training.fold import read_done
from ensemble_kit.training.table_member import TableInputs, fit_table_fold, join_inputs
from ensemble_kit.workflows.inputs import Images, draws_of, load_dataset

if TYPE_CHECKING:
    import pandas as pd
Frame = Union[Path, str, "pd.DataFrame", None]


@dataclass(frozen=True, eq=False)
class TableRun:
    """What a run of a table is made from, read and checked."""

    table: ImageTable
    study: StudySpec
    draws: list[Folds]
    inputs: TableInputs
    reading: dict[str, object]
    warnings: tuple[str, ...] = ()
    left_out: str = ""

    def facts(self) -> dict[str, Any]:
        """For the manifest."""
        return {
            "inputs_digest": self.inputs.digest,
            "n_features": 0 if self.inputs.x is None else int(self.inputs.x.shape[1]),
            "metadata": list(self.inputs.columns),
            "metadata_warnings": list(self.warnings),
            "store_notes": [self.note(), *([f"{self.left_out}."] if self.left_out else [])],
            **({"reading": self.reading} if self.reading else {}),
        }

    def note(self) -> str:
        """How a fold model was made, in words."""
        if self.inputs.x is None:
            return (
                "Each fold model is the mean of multinomial logistic regression and histogram "
                "gradient boosting on the metadata alone; encoders and penalty were fitted on its "
                "training part."
            )
        seen = f"features made elsewhere{' and encoded metadata' if self.inputs.columns else ''}"
        if self.study.training.head == "network":
            return (
                f"Each fold model is the mean of four networks of {self.study.model.hidden_units} "
                f"hidden units on {seen}; each was trained without one inner fold of whole groups "
                "of the training part, which chose its epoch."
            )
        return (
            f"Each fold model is multinomial logistic regression on {seen}; its penalty was chosen "
            "by inner folds of whole groups of its training part."
        )

    def refuse_other(self, folder: Path) -> None:
        """Raise RunError where the run there was made from other features or metadata."""
        if read_manifest(folder).facts.get("inputs_digest", self.inputs.digest) != (
            self.inputs.digest
        ):
            raise RunError(
                f"run {folder.name!r} exists and differs: its features or metadata are others; "
                "give --run NAME for a new run, or --overwrite to replace this one"
            )


def read_table_run(
    images: Images, study: StudySpec, features: Frame, folds: Folds | Sequence[Folds] | None,
    sample_dir: Path, *, refused: bool = False, tell: Tell = say_nothing,
) -> TableRun:  # fmt: skip
    """Read labels, groups, features and metadata; the images themselves need not be there.

    refused : learning curves or a leak audit were asked for. Raises DataError, SplitError,
    StudyError before anything is written.
    """
    kind, asked = study.model.inputs, study.model.metadata
    if refused:
        raise StudyError("--fractions and --leak-audit are of image runs; leave them out")
    if kind == "metadata" and (features is not None or study.data.features):
        raise StudyError(
            "--metadata-only sees no features; leave --features out, or drop --metadata-only"
        )
    if kind == "metadata" and not asked:
        raise StudyError("--metadata-only needs columns: name them, as in --metadata age,sex,site")
    given = study.data.features if features is None else features
    if kind == "metadata" and study.training.head == "network":
        raise StudyError(
            "head = 'network' is a network on features; for metadata alone leave --head out"
        )
    if kind == "features" and isinstance(given, str) and not given:
        raise StudyError("inputs = 'features' needs a file: give --features FILE")
    table, reading = _read_table(images, study, sample_dir, tell)
    source = str(given) if isinstance(given, (str, Path)) else "the features"
    columns, warnings = asked_columns(table, asked, study.model.metadata_anyway)
    found, left_out = None, ""
    if kind == "features":
        found, left_out = without_constant(features_of(table, read_features(given), source), source)
    notes = [left_out] if left_out else []
    if study.cluster != ClusterSpec():
        notes.append("a model of a table is fitted on this machine: [cluster] has no effect")
    if notes:
        tell("read", told="", notes=tuple(notes), warnings=())
    study, draws = draws_of(table, study, folds)
    for draw in draws:
        check_folds(table, draw)
    check_names_of_view(study.evaluation.malignant, table.class_names, study.data.vocabulary)
    make_slices(table, study.evaluation.slices)
    inputs = join_inputs(found, columns)
    return TableRun(table, study, draws, inputs, reading, warnings, left_out)


def train_tables(found: TableRun, folder: Path, tell: Tell) -> list[FoldDone]:
    """Fit every fold that is not finished."""
    finished = []
    for repeat, folds in enumerate(found.draws):
        for k in range(folds.n_folds):
            place = fold_folder(folder, repeat, k)
            digest = digest_of(found.study.digest, found.inputs.digest, folds.digest, repeat, k)
            done = read_done(place, digest)
            if done is None:
                seed = FoldSeed(found.study.split.seed, repeat, k)
                done = fit_table_fold(
                    found.inputs, found.table, folds, found.study, seed, place, digest
                )
            else:
                tell("fold_kept", repeat=repeat, fold=k)
            finished.append(done)
    return finished


def _read_table(
    images: Images, study: StudySpec, sample_dir: Path, tell: Tell
) -> tuple[ImageTable, dict[str, object]]:
    if isinstance(images, ImageTable):
        return images, {}
    read = load_dataset(
        images or study.data.path or None, study.data, sample_dir=sample_dir, require_images=False
    )
    tell("read", told=read.told, notes=read.notes, warnings=read.warnings)
    return read.table, read.interpretation()
