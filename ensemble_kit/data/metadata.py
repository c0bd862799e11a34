"""Lesions, patients and ages put in order."""

import re

import numpy as np
import pandas as pd

from ensemble_kit.core.errors import DataError, count, some
from ensemble_kit.core.records import Strings
from ensemble_kit.data.missing import said, without_missing

IDS = ("lesion_id", "patient_id", "group")
OLDEST = 90
"""HIPAA: ages from 90 on are one class."""


def tidy(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Every way of saying "not known" as ``""`` in ids and metadata; notes for the ids."""
    frame = frame.copy()
    notes = []
    for name in frame.columns.drop(
        [n for n in ("image_id", "dx", "reference", "hint") if n in frame]
    ):
        numbers = name in (*IDS, "age")
        if name in IDS:
            notes += said(name, frame[name], numbers)
        frame[name] = without_missing(frame[name], numbers)
    return frame, notes


def lesions_within_patients(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Lesion numbers that stand in several patients are counted within a patient."""
    known = frame[(frame["lesion_id"] != "") & (frame["patient_id"] != "")]
    shared = _torn(known, "patient_id")
    if not len(shared):
        return frame, []
    rows = frame["lesion_id"].isin(shared) & (frame["patient_id"] != "")
    joined = frame["patient_id"].str.cat(frame["lesion_id"], sep="/")
    note = (
        f"{count(len(shared), 'lesion id')} ({some(shared, 3)}) in more than one patient: lesions "
        "are numbered within patients, a lesion is (patient, lesion)"
    )
    return frame.assign(lesion_id=frame["lesion_id"].mask(rows, joined)), [note]


def spelling_warnings(patients: Strings, lesions: Strings) -> list[str]:
    """Ids that are alike but for case, blanks and leading zeros, and so count as different."""
    warnings = []
    for role, values in (("patient", patients), ("lesion", lesions)):
        alike: dict[str, list[str]] = {}
        for name in np.unique(values).tolist():
            key = "".join(name.split()).casefold()
            if key:
                alike.setdefault(key.lstrip("0") if key.isdecimal() else key, []).append(name)
        found = [" and ".join(map(repr, names)) for names in alike.values() if len(names) > 1]
        if found:
            warnings.append(
                f"{role} ids that differ in case, blanks or leading zeros alone: {some(found)}; "
                f"each spelling counts as another {role}: spell them alike if they are one"
            )
    return warnings


def check_lesions(frame: pd.DataFrame, source: str) -> None:
    """Raise DataError where a lesion has more than one diagnosis."""
    known = frame[frame["lesion_id"] != ""]
    torn = _torn(known, "dx")
    if len(torn):
        names = known[known["lesion_id"].isin(torn)].groupby("lesion_id")["dx"].unique()
        pairs = [f"{lesion} ({' and '.join(sorted(dxs))})" for lesion, dxs in names.items()]
        by_patient = "patient_id" in frame and bool((frame["patient_id"] != "").any())
        instead = (
            "leave it out: --columns group=patient_id"
            if by_patient
            else "rename the column, if it does not number lesions"
        )
        raise DataError(
            f"{source}: lesion {some(pairs)} has more than one diagnosis: a lesion has one; mend "
            f"its rows or its lesion_id, or {instead}"
        )


def _torn(known: pd.DataFrame, column: str) -> list[str]:
    """Lesions with more than one value of a column, sorted."""
    pairs = known[["lesion_id", column]].drop_duplicates()["lesion_id"]
    return sorted(pairs[pairs.duplicated()].unique().tolist())


def ages(frame: pd.DataFrame, source: str) -> tuple["pd.Series[str]", list[str]]:
    """Ages in years, ``""`` or a plain number; ``80.0`` becomes ``80``, ``90+`` becomes ``90``."""
    text = frame["age"]
    codes, values = pd.factorize(text)
    read = {str(value): _age(str(value)) for value in values}
    wrong = text[text.isin([value for value, age in read.items() if age is None])]
    if len(wrong):
        ids = frame["image_id"][wrong.index]
        rows = [f"{a!r} ({i})" for a, i in zip(wrong, ids, strict=True)]
        raise DataError(
            f"{source}: age {some(rows)} is not a number of years from 0 to 120; mend it, leave it "
            "empty, or name another column: --columns age=…"
        )
    odd = sorted(value for value in read if value and not _is_year(value))
    notes = []
    if odd:
        n = int(text.isin(odd).sum())
        notes.append(f"age: {some(odd)} ({count(n, 'image')}) read as de-identified old age")
    years = np.array([read[str(value)] or "" for value in values], dtype=object)
    return pd.Series(years[codes], index=text.index, dtype="str"), notes


def _is_year(text: str) -> bool:
    try:
        return 0 <= float(text) <= 120
    except ValueError:
        return False


def _age(text: str) -> str | None:
    """``80`` for ``80.0``, ``90`` for ``90+``, ``>89`` or 300 to 320; None for what is no age."""
    if not text:
        return ""
    if _is_year(text):
        return f"{float(text):g}"
    ended = re.fullmatch(r"(?:>=?\s*)?(\d{2,3})\s*\+?", text)
    if ended and int(ended.group(1)) <= 120:
        return str(int(ended.group(1)))
    try:
        return str(OLDEST) if 300 <= float(text) <= 320 else None
    except ValueError:
        return None
