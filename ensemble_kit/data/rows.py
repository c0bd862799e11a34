"""One canonical table from every way the CSVs name things."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from ensemble_kit.core.errors import DataError, count, some
from ensemble_kit.data.csvfiles import read_rows, without_missing
from ensemble_kit.data.images import strip_extension
from ensemble_kit.data.layouts import Layout

ALIASES = {
    "image_id": ("image_id", "image", "image_name", "isic_id"),
    "dx": ("dx", "benign_malignant", "diagnosis", "label"),
    "lesion_id": ("lesion_id",),
    "patient_id": ("patient_id",),
    "age": ("age", "age_approx"),
    "sex": ("sex", "gender"),
    "site": (
        "site",
        "localization",
        "anatom_site_general",
        "anatom_site_general_challenge",
        "anatom_site",
    ),
    "dx_type": ("dx_type", "diagnosis_confirm_type"),
    "source": ("source", "dataset"),
}
CORE = ("image_id", "dx", "lesion_id", "patient_id")
NOT_CLASSES = ("score_weight", "validation_weight")
RESERVED = ("image", "path")
"""Columns with a meaning of their own in a run's tables."""
KNOWN = frozenset({"akiec", "ak", "bcc", "bkl", "df", "mel", "nv", "scc", "unk", "vasc"})
"""ISIC's and HAM10000's diagnoses; a table that uses two of them may use no other name."""


def read_layout(layout: Layout) -> pd.DataFrame:
    """All rows as str columns ``image_id, dx, lesion_id, patient_id`` and every metadata column.

    Unknown values are ``""``; diagnoses are lower-case.
    """
    frame = _renamed(
        _diagnoses(read_rows(layout.table), layout.table), layout.table, ("image_id", "dx")
    )
    frame["image_id"] = frame["image_id"].map(strip_extension)
    for path in layout.extra:
        more = _renamed(read_rows(path), path)
        more["image_id"] = more["image_id"].map(strip_extension)
        if not more["image_id"].isin(frame["image_id"]).any():
            raise DataError(
                f"{path}: names none of the {count(len(frame), 'image')} of {layout.table.name} "
                f"(it has {some(more['image_id'])}): mend its image column or move the file away"
            )
        fresh = [name for name in more.columns if name not in frame.columns]
        more = more.drop_duplicates("image_id")[["image_id", *fresh]]
        frame = frame.merge(more, on="image_id", how="left").fillna("")
    for name in ("lesion_id", "patient_id"):
        if name not in frame.columns:
            frame[name] = ""
    for name in frame.columns.drop(["image_id", "dx"]):
        frame[name] = without_missing(frame[name])
    frame["dx"] = frame["dx"].str.lower()
    _check_diagnoses(frame, layout)
    _check_lesions(frame, layout.table)
    if "age" in frame.columns:
        frame["age"] = _ages(frame, layout.table)
    return frame


def slice_names(columns: Iterable[str]) -> dict[str, str]:
    """Column -> its name as a slice: ``image`` and ``path``, which a run's tables use for
    themselves, become ``image_column`` and ``path_column``."""
    columns = list(columns)
    names = {name: name for name in columns}
    for name in set(RESERVED) & set(columns):
        while names[name] in columns:
            names[name] += "_column"
    return names


def _diagnoses(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    """The table with a column ``dx``; a one-hot table is turned into one."""
    names = set(frame.columns)
    key = next((name for name in ALIASES["image_id"] if name in names), None)
    if key is None or names & set(ALIASES["dx"]):
        return frame
    frame = frame.drop(columns=[name for name in NOT_CLASSES if name in names])
    others = {alias for kind, known in ALIASES.items() if kind != "dx" for alias in known}
    classes = [str(name) for name in frame.columns if name not in others]
    values = frame[classes].apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    if len(classes) < 2 or not np.isin(values[np.isfinite(values)], (0.0, 1.0)).all():
        return frame
    wrong = frame[key][np.nansum(values, axis=1) != 1]
    if len(wrong) or not np.isfinite(values).all():
        wrong = wrong if len(wrong) else frame[key][~np.isfinite(values).all(axis=1)]
        raise DataError(
            f"{path}: {some(wrong)} must have exactly one 1 and otherwise 0 in the columns "
            f"{some(classes)}; mend or drop these rows"
        )
    if len({name.lower() for name in classes}) < len(classes):
        raise DataError(f"{path}: class columns {some(classes)} differ only in case; rename one")
    return frame.drop(columns=classes).assign(dx=np.array(classes)[values.argmax(axis=1)])


def _renamed(
    frame: pd.DataFrame, path: Path, needed: tuple[str, ...] = ("image_id",)
) -> pd.DataFrame:
    """Canonical names; the first alias present wins, the others stay metadata columns."""
    chosen = {}
    for name, aliases in ALIASES.items():
        present = [alias for alias in aliases if alias in frame.columns]
        if present and (name == present[0] or name not in frame.columns):
            chosen[present[0]] = name
    frame = frame.rename(columns=chosen)
    missing = [name for name in needed if name not in frame.columns]
    if missing:
        wanted = " and ".join(f"{name} (or {some(ALIASES[name][1:])})" for name in missing)
        raise DataError(
            f"{path}: no column {wanted}; it has {some(frame.columns)}: name the column so, or "
            "give ISIC's ground truth with one column a class"
        )
    return frame.rename(columns=slice_names(frame.columns))


def _check_diagnoses(frame: pd.DataFrame, layout: Layout) -> None:
    blank = frame["image_id"][frame["dx"] == ""]
    if len(blank):
        raise DataError(f"{layout.table}: no dx for {some(blank)}: every image needs a diagnosis")
    if "image" in set(frame["dx"]):
        named = frame["image_id"][frame["dx"] == "image"]
        raise DataError(
            f"{layout.table}: dx 'image' ({some(named)}) cannot name a class: tables of "
            "probabilities call their first column so; rename the class"
        )
    listed = layout.root / "classes.txt"
    present = set(frame["dx"])
    allowed: set[str] | frozenset[str] = present
    if listed.is_file():
        lines = listed.read_text(encoding="utf-8", errors="replace").splitlines()
        allowed = {line.strip().lower() for line in lines if line.strip()}
    elif len(present & KNOWN) >= 2:
        allowed = KNOWN
    unknown = frame[~frame["dx"].isin(allowed)]
    if len(unknown):
        kinds = unknown.groupby("dx", sort=False)["image_id"]
        values = [
            f"{dx!r} ({count(len(names), 'image')}{':' if len(names) == 1 else ', the first'} "
            f"{names.iloc[0]})"
            for dx, names in kinds
        ]
        raise DataError(
            f"{layout.table}: unknown dx {some(values)}: the diagnoses are "
            f"{some(sorted(allowed), 20)}; mend the rows, or list the classes of this "
            f"data set in {listed.name}, one a line"
        )


def _check_lesions(frame: pd.DataFrame, path: Path) -> None:
    known = frame[frame["lesion_id"] != ""]
    kinds = known.groupby("lesion_id")["dx"].nunique()
    torn = kinds.index[kinds > 1]
    if len(torn):
        names = known[known["lesion_id"].isin(torn)].groupby("lesion_id")["dx"].unique()
        pairs = [f"{lesion} ({' and '.join(sorted(dxs))})" for lesion, dxs in names.items()]
        raise DataError(
            f"{path}: lesion {some(pairs)} has more than one diagnosis: a lesion has one; "
            "mend its rows or its lesion_id"
        )


def _ages(frame: pd.DataFrame, path: Path) -> "pd.Series[str]":
    """Ages in years, ``""`` or a plain number; ``80.0`` becomes ``80``."""
    text = frame["age"]
    years = pd.to_numeric(text.mask(text == "", "nan"), errors="coerce")
    wrong = (text != "") & ~years.between(0, 120)
    if wrong.any():
        rows = [f"{a!r} ({i})" for a, i in zip(text[wrong], frame["image_id"][wrong], strict=True)]
        raise DataError(f"{path}: age {some(rows)} is not a number of years from 0 to 120")
    return years.map(lambda age: "" if np.isnan(age) else f"{age:g}").astype(str)
