"""Lesions, patients and ages put in order."""

import numpy as np
import pandas as pd

from ensemble_kit.core.errors import DataError, count, some
from ensemble_kit.data.missing import said, without_missing

IDS = ("lesion_id", "patient_id", "group")
OLDEST = 90
"""HIPAA: ages from 90 on are one class."""


def tidy(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Every way of saying "not known" as ``""`` in ids and metadata; notes for the ids."""
    frame = frame.copy()
    notes = []
    for name in frame.columns.drop([n for n in ("image_id", "dx", "reference", "hint") if n in frame]):
        numbers = name in (*IDS, "age")
        if name in IDS:
            notes += said(name, frame[name], numbers)
        frame[name] = without_missing(frame[name], numbers)
    return frame, notes


def lesions_within_patients(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Lesion numbers that stand in several patients are counted within a patient."""
    known = frame[(frame["lesion_id"] != "") & (frame["patient_id"] != "")]
    patients = known.groupby("lesion_id")["patient_id"].nunique()
    shared = patients.index[patients > 1]
    if not len(shared):
        return frame, []
    rows = frame["lesion_id"].isin(shared) & (frame["patient_id"] != "")
    joined = frame["patient_id"].str.cat(frame["lesion_id"], sep="/")
    note = (
        f"{count(len(shared), 'lesion id')} ({some(shared, 3)}) in more than one patient: lesions "
        "are numbered within patients, a lesion is (patient, lesion)"
    )
    return frame.assign(lesion_id=frame["lesion_id"].mask(rows, joined)), [note]


def check_lesions(frame: pd.DataFrame, source: str) -> None:
    """Raise DataError where a lesion has more than one diagnosis."""
    known = frame[frame["lesion_id"] != ""]
    kinds = known.groupby("lesion_id")["dx"].nunique()
    torn = kinds.index[kinds > 1]
    if len(torn):
        names = known[known["lesion_id"].isin(torn)].groupby("lesion_id")["dx"].unique()
        pairs = [f"{lesion} ({' and '.join(sorted(dxs))})" for lesion, dxs in names.items()]
        raise DataError(
            f"{source}: lesion {some(pairs)} has more than one diagnosis: a lesion has one; "
            "mend its rows or its lesion_id, or leave it out: --columns group=patient_id"
        )


def ages(frame: pd.DataFrame, source: str) -> tuple["pd.Series[str]", list[str]]:
    """Ages in years, ``""`` or a plain number; ``80.0`` becomes ``80``, ``90+`` becomes ``90``."""
    text = frame["age"]
    years = pd.to_numeric(text.mask(text == "", "nan"), errors="coerce")
    open_ended = text.str.fullmatch(r"(?:>=?\s*)?\d{2,3}\s*\+?") & years.isna()
    digits = pd.to_numeric(text.str.extract(r"(\d+)")[0], errors="coerce")
    years = years.mask(open_ended, digits)
    shifted = years.between(300, 320)
    years = years.mask(shifted, OLDEST)
    wrong = (text != "") & ~years.between(0, 120)
    if wrong.any():
        rows = [f"{a!r} ({i})" for a, i in zip(text[wrong], frame["image_id"][wrong], strict=True)]
        raise DataError(
            f"{source}: age {some(rows)} is not a number of years from 0 to 120; mend it, leave it "
            "empty, or name another column: --columns age=…"
        )
    notes = []
    odd = open_ended | shifted
    if odd.any():
        values = some(sorted(set(text[odd])))
        notes.append(f"age: {values} ({count(int(odd.sum()), 'image')}) read as de-identified old age")
    return years.map(lambda age: "" if np.isnan(age) else f"{age:g}").astype(str), notes
