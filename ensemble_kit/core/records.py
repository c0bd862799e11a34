"""Frozen value types that cross the borders between rooms. Arrays are read-only."""

from collections.abc import Iterator, Mapping
from dataclasses import InitVar, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ensemble_kit.core.alignment import align_rows
from ensemble_kit.core.digests import digest_of
from ensemble_kit.core.errors import DataError, PredictionsError, SplitError, some
from ensemble_kit.core.names import (
    LONGEST_ID,
    LONGEST_PATH,
    check_classes,
    check_named,
    check_shown,
    check_unlike,
)

if TYPE_CHECKING:
    import pandas as pd

Strings = NDArray[np.str_]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

SUM_TOLERANCE = 1e-6


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """The same values, which nobody can write through this reference."""
    view = array.view()
    view.flags.writeable = False
    return view


def _plainly_shown(names: Strings, longest: int) -> bool:
    """Whether all letters are printable ASCII and no name is too long: told from all codes at
    once, as most tables are so."""
    if names.dtype.kind != "U" or names.dtype.itemsize > 4 * longest or not names.size:
        return not names.size
    codes = np.ascontiguousarray(names).view(np.uint32)
    return bool(codes.max(initial=0) < 0x7F and not ((codes < 0x20) & (codes > 0)).any())


@dataclass(frozen=True, eq=False)
class ImageTable:
    """The images of a data set, one row an image.

    image_ids : (n,) str, unique.
    groups : (n,) str; images with the same name may never be parted by a split. The union of
        patient, lesion and near-duplicate; an image without any of them is its own group.
    labels : (n,) int in [0, C), an index into ``class_names``.
    class_names : C names, the column order of every probability table.
    lesions, patients : (n,) str, ``""`` where unknown.
    paths : (n,) str, file of each image relative to ``root``; ``""`` where there is none.
    slices : metadata column -> (n,) str, ``""`` where unknown (age, sex, site, dx_type, source …).
    root : folder the paths are relative to.
    known : whether the names come from a table that was checked.
    """

    image_ids: Strings
    groups: Strings
    labels: Ints
    class_names: tuple[str, ...]
    lesions: Strings
    patients: Strings
    paths: Strings
    slices: Mapping[str, Strings] = field(default_factory=dict)
    root: str = ""
    known: InitVar[bool] = False

    def __post_init__(self, known: bool) -> None:
        for name in ("image_ids", "groups", "labels", "lesions", "patients", "paths"):
            object.__setattr__(self, name, read_only(getattr(self, name)))
        if not known:
            self._check_names()

    def _check_names(self) -> None:
        check_classes(self.class_names, DataError)
        if (self.image_ids == "").any():
            check_named(self.image_ids.tolist(), DataError)
        for names, what, longest in (
            (self.image_ids, "image id", LONGEST_ID), (self.groups, "group", LONGEST_ID),
            (self.lesions, "lesion", LONGEST_ID), (self.patients, "patient", LONGEST_ID),
            (self.paths, "file", LONGEST_PATH),
        ):  # fmt: skip
            if not _plainly_shown(names, longest):
                check_shown(names.tolist(), what, DataError, longest)

    def __len__(self) -> int:
        return len(self.image_ids)

    @property
    def n_classes(self) -> int:
        """Number of classes, C."""
        return len(self.class_names)

    @cached_property
    def group_codes(self) -> Ints:
        """(n,) int in [0, number of groups): the groups in sorted order of their names."""
        return np.unique(self.groups, return_inverse=True)[1].astype(np.int64)

    @property
    def n_groups(self) -> int:
        """Number of groups."""
        return int(self.group_codes.max(initial=-1)) + 1

    def class_counts(self) -> Ints:
        """(C,) images of each class."""
        return np.bincount(self.labels, minlength=self.n_classes).astype(np.int64)

    def take(self, rows: NDArray[Any]) -> "ImageTable":
        """The table of some rows (indices or a mask), in the order given."""
        return ImageTable(
            image_ids=self.image_ids[rows],
            groups=self.groups[rows],
            labels=self.labels[rows],
            class_names=self.class_names,
            lesions=self.lesions[rows],
            patients=self.patients[rows],
            paths=self.paths[rows],
            slices={name: column[rows] for name, column in self.slices.items()},
            root=self.root,
            known=True,
        )

    def to_frame(self) -> "pd.DataFrame":
        """One image a row (index: image): label, group, lesion, patient, path, metadata."""
        import pandas as pd

        columns = {
            "label": np.array(self.class_names)[self.labels],
            "group": self.groups,
            "lesion": self.lesions,
            "patient": self.patients,
            "path": self.paths,
        }
        index = pd.Index(self.image_ids, name="image")
        return pd.DataFrame(dict(self.slices) | columns, index)[[*columns, *self.slices]]

    def __repr__(self) -> str:
        counts = zip(self.class_names, self.class_counts().tolist(), strict=True)
        classes = ", ".join(f"{name} {n:,}" for name, n in counts)
        return f"<{len(self):,} images in {self.n_groups:,} groups: {classes}>"

    @cached_property
    def digest(self) -> str:
        """What a split and a training depend on: ids, groups, labels and class names."""
        names = [str(x) for x in self.image_ids], [str(x) for x in self.groups]
        return digest_of(*names, self.labels.astype(np.int64), self.class_names)


@dataclass(frozen=True, eq=False)
class Folds:
    """Which fold each image is held out in.

    image_ids : (n,) str. groups : (n,) str. fold : (n,) int in [0, n_folds).
    """

    image_ids: Strings
    groups: Strings
    fold: Ints
    n_folds: int
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("image_ids", "groups", "fold"):
            object.__setattr__(self, name, read_only(getattr(self, name)))

    def __len__(self) -> int:
        return len(self.image_ids)

    def held_out(self, k: int) -> Bools:
        """(n,) mask of the rows that fold ``k`` holds out."""
        return np.asarray(self.fold == k)

    def get_n_splits(self, X: object = None, y: object = None, groups: object = None) -> int:
        """The number of folds, as scikit-learn's splitters say it."""
        return self.n_folds

    def split(
        self, X: Any = None, y: object = None, groups: object = None
    ) -> Iterator[tuple[Ints, Ints]]:
        """(train, test) row numbers of each fold, as scikit-learn's splitters give them.

        X : anything with one row for each image, in the folds' order; rows of a pandas object
        whose index holds the image ids are found by it. ``y`` is not looked at, the folds are
        drawn; given ``groups`` must not cross them. Rows in no fold (-1) are in neither part.
        Raises SplitError.
        """
        if X is not None and not hasattr(X, "__len__") and not hasattr(X, "shape"):
            raise SplitError(f"X = {X!r} has no rows: give one row for each image, or None")
        rows = None if X is None else len(X) if hasattr(X, "__len__") else X.shape[0]
        if rows is not None and rows != len(self):
            raise SplitError(
                f"X has {rows:,} rows, but these folds were drawn for {len(self):,} images: give "
                "one row for each image, in the order of the images"
            )
        fold = self._fold_of_rows(X)
        if groups is not None:
            self._refuse_crossing(fold, list(np.asarray(groups).tolist()))
        for k in range(self.n_folds):
            yield np.flatnonzero((fold != k) & (fold >= 0)), np.flatnonzero(fold == k)

    def _fold_of_rows(self, X: Any) -> Ints:
        """(n,) fold of each row of X, by its index where that holds the image ids."""
        index = getattr(X, "index", None)
        if index is None or callable(index):
            return self.fold
        ids = [str(name) for name in index]
        if set(ids) != set(self.image_ids.tolist()):
            return self.fold
        return np.asarray(self.fold[align_rows(self.image_ids, ids)])

    def _refuse_crossing(self, fold: Ints, groups: list[object]) -> None:
        first: dict[object, int] = {}
        crossing = {
            str(g)
            for g, k in zip(groups, fold.tolist(), strict=False)
            if first.setdefault(g, k) != k
        }
        if len(groups) != len(self) or crossing:
            what = some(sorted(crossing)) if crossing else f"{len(groups):,} of {len(self):,} rows"
            raise SplitError(
                f"the groups given do not fit these folds ({what}): rows in another order than the "
                "images, or other groups than the folds were drawn for"
            )

    def __repr__(self) -> str:
        return f"<{self.n_folds} folds of {len(self):,} images>"

    @cached_property
    def digest(self) -> str:
        """What a training depends on: ids, the fold of each, the number of folds."""
        ids = [str(x) for x in self.image_ids]
        return digest_of(ids, self.fold.astype(np.int64), self.n_folds)


@dataclass(frozen=True, eq=False)
class Predictions:
    """Class probabilities of images.

    image_ids : (n,) str, unique.
    probabilities : (n, C) float64, finite, non-negative; each row sums to 1 (within 1e-6).
    class_names : C names of the columns.
    source : the file they were read from, for errors; "" where they were computed.
    """

    image_ids: Strings
    class_names: tuple[str, ...]
    probabilities: Floats
    source: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "image_ids", read_only(self.image_ids))
        object.__setattr__(
            self, "probabilities", read_only(np.asarray(self.probabilities, dtype=np.float64))
        )
        try:
            _check_probabilities(self)
        except PredictionsError as error:
            raise PredictionsError(f"{self._of_source}{error}") from None

    @property
    def _of_source(self) -> str:
        return f"{self.source}: " if self.source else ""

    def __len__(self) -> int:
        return len(self.image_ids)

    def in_order_of(self, image_ids: Strings) -> "Predictions":
        """The rows of ``image_ids``, in that order; an id without a row is an error."""

        def refuse(missing: list[str]) -> PredictionsError:
            return PredictionsError(
                f"{self._of_source}no prediction for {some(missing)}: every image needs exactly "
                "one row; add the rows or drop the images from the truth"
            )

        rows = align_rows(self.image_ids, image_ids, refuse)
        return Predictions(image_ids, self.class_names, self.probabilities[rows], self.source)


@dataclass(frozen=True)
class Estimate:
    """One number with its interval.

    value, low, high : None when the figure cannot be estimated; ``note`` then says why.
    level : coverage the interval aims at (0.95). method : how it was made ("group bootstrap,
    percentile", "Wilson" …). unit : what was resampled ("group", "image", "fold").
    n_groups : how many of those units the figure rests on.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    level: float = 0.95
    method: str = ""
    unit: str = "group"
    n_groups: int = 0
    note: str = ""

    @property
    def estimable(self) -> bool:
        """Whether there is a value."""
        return self.value is not None


def _check_probabilities(predictions: Predictions) -> None:
    p, ids = predictions.probabilities, predictions.image_ids
    if p.shape != (len(ids), len(predictions.class_names)):
        raise PredictionsError(
            f"{p.shape[0]}×{p.shape[1] if p.ndim == 2 else 0} probabilities for {len(ids)} images "
            f"and {len(predictions.class_names)} classes: one row an image, one column a class"
        )
    check_classes(predictions.class_names, PredictionsError)
    if (ids == "").any():
        check_named(ids.tolist(), PredictionsError)
    if not _plainly_shown(ids, LONGEST_ID):
        check_shown(ids.tolist(), "image id", PredictionsError, LONGEST_ID)
    check_unlike(predictions.class_names, PredictionsError)
    finite = np.isfinite(p).all(axis=1)
    if not finite.all():
        raise PredictionsError(
            f"probabilities of {some(ids[~finite])} are not finite: "
            "every probability must be a number; mend or drop these rows"
        )
    negative = (p < 0).any(axis=1)
    if negative.any():
        raise PredictionsError(
            f"probabilities of {some(ids[negative])} are negative: give probabilities, not scores"
        )
    off = np.abs(p.sum(axis=1) - 1.0) > SUM_TOLERANCE
    if off.any():
        raise PredictionsError(
            f"probabilities of {some(ids[off])} do not sum to 1: "
            "give one probability a class (softmax, not independent scores)"
        )
    names, counts = np.unique(ids, return_counts=True)
    if (counts > 1).any():
        raise PredictionsError(
            f"{some(names[counts > 1])} predicted more than once: one row an image"
        )
