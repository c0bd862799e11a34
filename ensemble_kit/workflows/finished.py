"""A finished run as a notebook uses it: tables of pandas, fold models, the saved ensemble."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from ensemble_kit.core.checked import checked
from ensemble_kit.core.errors import PredictionsError, RunError, count, some
from ensemble_kit.metrics.curves import Curve
from ensemble_kit.metrics.evaluation import Evaluation
from ensemble_kit.metrics.html import headline_table
from ensemble_kit.metrics.reliability import TOP
from ensemble_kit.runs.evaluation import read_evaluation
from ensemble_kit.runs.folder import Run, find_run, read_run, read_run_study
from ensemble_kit.runs.folds import COLUMNS, has_history, read_history
from ensemble_kit.runs.manifest import Manifest
from ensemble_kit.runs.paths import MODEL, fold_column, fold_folder
from ensemble_kit.runs.tables import read_folds
from ensemble_kit.runs.verification import check_files
from ensemble_kit.study import StudySpec

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ensemble_kit.workflows.saved_ensemble import Bundle


SUMS_WITHIN = 1e-3


@checked
def open_run(name: Path | str | None = None, *, runs_dir: Path | str = "runs") -> "FinishedRun":
    """A finished run: by its folder, by its name below ``runs_dir``, or the latest (None).

    Raises RunError where there is none, or it is unfinished or damaged.
    """
    run = FinishedRun(find_run(None if name is None else str(name), Path(runs_dir)))
    run.record  # noqa: B018  (read now, so that a damaged run is refused here)
    return run


class FinishedRun:
    """A run folder whose command has finished; its files are read when they are first asked for.

    folder : where it is. Everything it gives is in the order of its images.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __repr__(self) -> str:
        m = self.manifest
        return f"<{m.kind} run {m.name!r}: {len(self.record.table):,} images, {self.folder}>"

    def _repr_html_(self) -> str:
        m = self.manifest
        said = f"<b>{escape(m.name)}</b>, {m.kind} run of {len(self):,} images: "
        said += escape(str(self.folder))
        warnings = "".join(f"<p>Warning: {escape(line)}</p>" for line in m.warnings)
        return f"<p>{said}</p>{warnings}{headline_table(self.evaluation)}"

    def __len__(self) -> int:
        return len(self.record.table)

    @cached_property
    def record(self) -> Run:
        """The run as the package's functions take it; digests of its tables are checked."""
        return read_run(self.folder)

    @property
    def manifest(self) -> Manifest:
        """Status, digests, versions, device and notes of the run."""
        return self.record.manifest

    @property
    def name(self) -> str:
        """The name of the run's folder."""
        return self.manifest.name

    @property
    def kind(self) -> str:
        """What made the run: "cv", "evaluate", "ensemble" or "external"."""
        return self.manifest.kind

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes, in the order of the columns of ``oof``."""
        return self.record.table.class_names

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences that a reader must see before any figure."""
        return self.manifest.warnings

    @cached_property
    def study(self) -> StudySpec:
        """Every setting the run was made with."""
        return read_run_study(self.folder)

    @cached_property
    def oof(self) -> pd.DataFrame:
        """(n, C) out-of-fold probabilities; index: image, columns: classes."""
        p = self.record.predictions
        index = pd.Index(p.image_ids, name="image")
        return pd.DataFrame(p.probabilities, index, list(p.class_names))

    @cached_property
    def labels(self) -> "pd.Series[str]":
        """(n,) name of each image's class; index: image."""
        table = self.record.table
        names = np.array(table.class_names)[table.labels]
        return pd.Series(names, pd.Index(table.image_ids, name="image"), name="label")

    @cached_property
    def folds(self) -> pd.DataFrame:
        """Index: image; columns ``group`` and ``fold`` (``fold_1`` … where folds were redrawn)."""
        m = self.manifest
        table, draws = read_folds(self.folder, m.class_names, m.data_root)
        columns: dict[str, Any] = {"group": table.groups}
        columns |= {fold_column(r): draw.fold for r, draw in enumerate(draws)}
        return pd.DataFrame(columns, pd.Index(table.image_ids, name="image"))

    @cached_property
    def evaluation(self) -> Evaluation:
        """All figures and curves of the run."""
        return read_evaluation(self.folder)

    @property
    def metrics(self) -> pd.DataFrame:
        """One figure a row: scope, slice, class, metric, value, low, high, level, method, unit,
        n_groups, note; see docs/metrics.md."""
        return self.evaluation.to_frame()

    @property
    def curves(self) -> tuple[Curve, ...]:
        """ROC, precision–recall, reliability and decision curves, with bands."""
        return self.evaluation.curves

    @property
    def history(self) -> pd.DataFrame:
        """One epoch a row: repeat, fold, phase, epoch, loss, val_loss, val_accuracy, val_auc, lr,
        seconds, images_per_second (losses in nats); empty where nothing was trained by epochs."""
        rows: list[dict[str, Any]] = []
        for repeat in range(self.study.split.repeats):
            for fold in range(self.record.folds.n_folds):
                folder = fold_folder(self.folder, repeat, fold)
                if has_history(folder):
                    place = {"repeat": repeat, "fold": fold}
                    rows += [place | asdict(epoch) for epoch in read_history(folder)]
        return pd.DataFrame(rows, columns=["repeat", "fold", *COLUMNS])

    def plot_roc(self, classes: Sequence[str] | str | None = None, *, ax: Any = None) -> "Axes":
        """ROC curves of these classes against the rest (default: all), areas with their intervals,
        drawn into matplotlib axes (None: new ones), which are returned."""
        return self.evaluation.plot_roc(classes, ax=ax)

    def plot_reliability(self, class_name: str = TOP, *, ax: Any = None) -> "Axes":
        """Reliability diagram of a class, "malignant" or "top-1" (the likeliest class), drawn into
        matplotlib axes (None: new ones), which are returned."""
        return self.evaluation.plot_reliability(class_name, ax=ax)

    def plot_confusion(
        self, *, normalize: Literal["true", "pred", "all"] | None = None, ax: Any = None
    ) -> "Axes":
        """Confusion matrix of the likeliest classes out of fold: truth down, decision across, drawn
        into matplotlib axes (None: new ones), which are returned.

        normalize : None for counts; "true", "pred" or "all" for shares of a row, a column, all.
        """
        from ensemble_kit.metrics.plots import plot_confusion

        chosen = np.array(self.class_names)[self.oof.to_numpy().argmax(axis=1)]
        truth = list(self.labels)
        return plot_confusion(truth, list(chosen), self.class_names, normalize=normalize, ax=ax)

    @checked
    def fold_model(self, fold: int, repeat: int = 0) -> Any:
        """The ``keras.Model`` of one fold: pixels 0..255 (m, S, S, 3) in, (m, C) probabilities
        out. It is loaded without running any code it may carry. RunError where there is none."""
        from ensemble_kit.models.fold_model import load_network

        if self.kind != "cv":
            raise RunError(
                f"run {self.name!r} was made by `{self.manifest.command}`: only `cv` leaves models"
            )
        path = fold_folder(self.folder, repeat, fold) / MODEL
        if not path.is_file():
            raise RunError(f"run {self.name!r} has no model of fold {fold} (no {path})")
        check_files(self.folder, self.manifest, [path.relative_to(self.folder).as_posix()])
        return load_network(path)

    @checked
    def predict(
        self, images: Any = None, *, features: Any = None, metadata: Any = None,
        coverage: float | None = None, fold: int | None = None,
    ) -> pd.DataFrame:  # fmt: skip
        """Probabilities of new images by the fold models, as ``cli.py predict`` gives them.

        images : a folder, files, a table of paths, or uint8 pixels (n, h, w, 3). features,
        metadata : files or DataFrames of what the models see beside images, by image id; of an
        ensemble also ``{member: features}`` (docs/members.md). coverage : of the prediction sets.
        fold : by this fold model alone. Index: image; columns: the classes, ``decision``, ``set``,
        ``spread``, ``novelty`` … (docs/predict.md).
        """
        from ensemble_kit.workflows.predict import predict

        found = predict(
            self.folder, images, features=features, metadata=metadata, coverage=coverage, fold=fold
        )
        return found.to_frame().set_index("image")

    @cached_property
    def saved_ensemble(self) -> "Bundle":
        """The chain, decision and prediction sets that `ensemble` refitted on all rows."""
        from ensemble_kit.workflows.saved_ensemble import load_ensemble

        if self.kind != "ensemble":
            raise RunError(
                f"run {self.name!r} was made by `{self.manifest.command}`, not by `ensemble`"
            )
        return load_ensemble(self.folder)

    def apply(self, members: Mapping[str, Any]) -> pd.DataFrame:
        """Ensembled, calibrated probabilities of new images.

        members : name of each member (as the ensemble was made from) -> the probabilities of its
        fold models: an array (K, n, C) or a list of K tables; or of one model, (n, C). A table is a
        DataFrame with the classes as columns or an array in the order of ``class_names``. The
        chain is applied to each fold model and averaged after: it was fitted on single fold
        models, not on their mean. DataFrames are brought into the order of the first and must have
        its rows; arrays are taken to be in that order. Returns (n, C), index: the first
        DataFrame's, else 0 … n - 1. Raises PredictionsError.
        """
        wanted, classes = self.saved_ensemble.members, self.class_names
        if not isinstance(members, Mapping):
            raise PredictionsError(
                f"members are {type(members).__name__}: give {{name: probabilities}}, the names "
                f"{some(wanted)}"
            )
        if set(members) != set(wanted):
            raise PredictionsError(
                f"the ensemble was made from members {some(wanted)}; given were {some(members)}: "
                "give each of them once"
            )
        index: pd.Index | None = None
        stacks: dict[str, Any] = {}
        for name in wanted:
            given = members[name]
            tables = list(given) if isinstance(given, (list, tuple)) else [given]
            plain = []
            for table in tables:
                if isinstance(table, pd.DataFrame):
                    if absent := [c for c in classes if c not in table.columns]:
                        raise PredictionsError(f"member {name!r} has no column {some(absent)}")
                    index = table.index if index is None else index
                    _same_rows(name, table.index, index)
                    table = table.loc[index, list(classes)]
                plain.append(_rows_that_sum_to_1(name, table, len(classes)))
            if len({array.shape for array in plain}) > 1:
                raise PredictionsError(
                    f"member {name!r}: its fold models differ in shape "
                    f"({some([str(a.shape) for a in plain])}): give (n, C) each"
                )
            stacks[name] = plain[0] if len(plain) == 1 else np.stack(plain)
        applied = self.saved_ensemble.apply_folds(stacks)
        index = pd.RangeIndex(len(applied)) if index is None else index
        return pd.DataFrame(applied, index, list(classes))


def _same_rows(name: str, index: pd.Index, first: pd.Index) -> None:
    if not index.is_unique or not first.is_unique:
        raise PredictionsError(f"member {name!r} lists a row more than once: give each image once")
    if apart := sorted(map(str, index.symmetric_difference(first))):
        raise PredictionsError(
            f"member {name!r} has other rows than the first ({some(apart)} in only one of them): "
            "give the same images for each member"
        )


def _rows_that_sum_to_1(name: str, table: Any, n_classes: int) -> Any:
    try:
        values = np.asarray(table)
        if values.dtype.kind == "c":
            raise TypeError
        values = values.astype(np.float64)
    except (TypeError, ValueError):
        raise PredictionsError(
            f"member {name!r} is no table of numbers: give a DataFrame or an array (n, C)"
        ) from None
    if values.ndim not in (2, 3) or values.shape[-1] != n_classes or not values.size:
        raise PredictionsError(
            f"member {name!r} has the shape {values.shape}: give (n, {n_classes}), or "
            f"(K, n, {n_classes}) of its K fold models"
        )
    wrong = ~(np.abs(values.sum(axis=-1) - 1) <= SUMS_WITHIN)
    if wrong.any() or (values < 0).any():
        raise PredictionsError(
            f"member {name!r}: {count(int(wrong.sum()), 'row')} of its probabilities do not sum to "
            "1, or some are negative: give probabilities, one row an image, one column a class"
        )
    return values
