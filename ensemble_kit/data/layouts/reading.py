"""From a table's own columns to the canonical ones."""

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from ensemble_kit.core.errors import DataError, count, some
from ensemble_kit.data import columns as cols
from ensemble_kit.data.images import is_safe_path, stems
from ensemble_kit.data.labels import disagreeing
from ensemble_kit.data.layouts.base import How, LayoutRows
from ensemble_kit.data.tables import read_table

RESERVED = ("image", "path")
"""Columns with a meaning of their own in a run's tables."""
NOT_CLASSES = frozenset({"score_weight", "validation_weight", "fold", "split"})
INSIDE = ("reference", "hint", "group")
TRUE, FALSE = ("1", "1.0", "true"), ("0", "0.0", "false")


def canonical(
    frame: pd.DataFrame, path: Path, how: How, needed: tuple[str, ...] = ("image_id", "dx")
) -> LayoutRows:
    """Columns under their canonical names, ids without folder and ending, labels as they stand.

    Raises DataError where a role in ``needed`` has no column.
    """
    key = cols.choose(frame.columns, {k: v for k, v in how.columns.items() if k == "image"},
                      str(path), roles=("image_id",)).columns.get("image_id")  # fmt: skip
    hot: list[str] = []
    if key and "dx" in needed and "label" not in how.columns and not how.level:
        frame, hot = _from_one_hot(frame, key[0], path)
    chosen = cols.choose(frame.columns, how.columns, str(path), level=how.level)
    notes = [*chosen.notes]
    if hot:
        notes = [n for n in notes if not n.startswith("label:")]
        notes.append(f"label: the column with the 1 of {some(hot, 20)}")
    missing = [name for name in needed if name not in chosen.columns]
    if missing:
        wanted = " and ".join(
            f"{name} (or {some(cols.ALIASES[name][1:], 6)} …)" for name in missing
        )
        roles = ",".join(f"{cols.WORDS[name]}=…" for name in missing)
        usual = {cols.plain(alias) for name in missing for alias in cols.ALIASES[name]}
        used = [f"{part} is taken for {cols.WORDS.get(role, role)}"
                for role, parts in chosen.columns.items() for part in parts
                if cols.plain(part) in usual]  # fmt: skip
        since = f", since {some(used)}" if used else ""
        raise DataError(
            f"{path}: no column {wanted}{since}; it has {some(frame.columns, 30)}: name the column "
            f"with --columns {roles}, add a header line if the first line is data, or give ISIC's "
            "ground truth with one column a class"
        )
    made: dict[str, pd.Series[str]] = {}
    taken: set[str] = set()
    for role, parts in chosen.columns.items():
        if role == "group":
            made |= _groups(frame, parts)
            continue
        made[role] = frame[parts[0]] if len(parts) == 1 else _joined(frame, parts)
        taken |= set(parts)
    if "group" in chosen.columns:
        for role in ("patient_id", "lesion_id"):
            if role in made and role not in _roles(chosen.columns["group"]):
                taken -= set(chosen.columns[role])
                notes.append(
                    f"{role} has no part in the groups: --columns group={how.columns['group']}"
                )
                del made[role]
    if "dx" in made and not how.level:
        made["dx"], said = _filled(frame, made["dx"], chosen.columns["dx"][0])
        notes += said
    rest = [name for name in frame.columns if name not in taken]
    others = [n for n in rest if cols.plain(n) in cols.ALIASES["dx"]]
    if "dx" in made and len(chosen.columns["dx"]) == 1:
        notes += disagreeing(frame, chosen.columns["dx"][0], others)
    out = pd.DataFrame({name: made[name] for name in made})
    more = frame[rest]
    more.columns = pd.Index([_free(str(name), made) for name in rest])
    out = pd.concat([out, more], axis=1)
    for role in ("lesion_id", "patient_id"):
        if role not in out.columns:
            out[role] = ""
        out[role] = out[role].str.replace(r"^(-?\d+)\.0+$", r"\1", regex=True)
    out = out.rename(columns=slice_names(c for c in out.columns if c not in INSIDE))
    out, said = _with_ids(out)
    return LayoutRows(out, cols.told(chosen, path.name), (*notes, *said))


def _filled(
    frame: pd.DataFrame, dx: "pd.Series[str]", column: str
) -> tuple["pd.Series[str]", list[str]]:
    """Where ISIC's finest level is empty, the next coarser one, which is said."""
    found = cols.LEVELS.match(cols.plain(column))
    notes = []
    by_plain = {cols.plain(name): str(name) for name in frame.columns}
    for level in range(int(found.group(1)) - 1 if found else 0, 0, -1):
        other = by_plain.get(f"diagnosis_{level}", "")
        blank = dx.eq("")
        if other and blank.any():
            rows = blank & frame[other].ne("")
            dx = dx.mask(rows, frame[other])
            if rows.any():
                notes.append(
                    f"label: {count(int(rows.sum()), 'image')} without {column} take {other}"
                )
    return dx, notes


def add_extra(rows: LayoutRows, tables: Iterable[Path], how: How) -> LayoutRows:
    """Further tables by image merged in; one that names none of the images is refused."""
    frame, notes = rows.frame, list(rows.notes)
    for path in tables:
        read = read_table(path)
        more = canonical(read.frame, path, How(), needed=("image_id",)).frame
        if not more["image_id"].isin(frame["image_id"]).any():
            raise DataError(
                f"{path}: names none of the {count(len(frame), 'image')} of "
                f"{rows.told.partition(':')[0]} (it has {some(more['image_id'])}): mend its image "
                "column or move the file away"
            )
        fresh = [
            name
            for name in more.columns
            if name not in frame.columns
            or (name in ("lesion_id", "patient_id") and frame[name].eq("").all())
        ]
        more = more.drop_duplicates("image_id")[["image_id", *fresh]]
        frame = frame.drop(columns=[name for name in fresh if name in frame.columns])
        frame = frame.merge(more, on="image_id", how="left").fillna("")
        roles = [n for n in ("lesion_id", "patient_id") if n in fresh and more[n].ne("").any()]
        notes += [*read.notes, f"{path.name}: {some(roles or ['metadata'])} by image"]
    return LayoutRows(frame, rows.told, tuple(notes))


def slice_names(columns: Iterable[str]) -> dict[str, str]:
    """Column -> its name as a slice: ``image`` and ``path``, which a run's tables use for
    themselves, become ``image_column`` and ``path_column``."""
    columns = list(columns)
    names = {name: name for name in columns}
    for name in set(RESERVED) & set(columns):
        while names[name] in columns:
            names[name] += "_column"
    return names


def _free(name: str, made: dict[str, "pd.Series[str]"]) -> str:
    while name in made or name in INSIDE:
        name += "_column"
    return name


def _roles(parts: tuple[str, ...]) -> set[str]:
    return {
        role
        for role in ("patient_id", "lesion_id")
        for part in parts
        if cols.plain(part) in cols.ALIASES[role]
    }


def _groups(frame: pd.DataFrame, parts: tuple[str, ...]) -> dict[str, "pd.Series[str]"]:
    """Columns of ``group=a+b``: images that share any of them are one group. A patient's and a
    lesion's column are those already; others are joined into ``group``."""
    own = [part for part in parts if not _roles((part,))]
    return {"group": _joined(frame, tuple(own)) if len(own) > 1 else frame[own[0]]} if own else {}


def _joined(frame: pd.DataFrame, parts: tuple[str, ...]) -> "pd.Series[str]":
    """Cells joined by ``/``; ``""`` where one is empty."""
    whole = frame[parts[0]]
    for part in parts[1:]:
        whole = whole.str.cat(frame[part], sep="/")
    empty = (frame[list(parts)] == "").any(axis=1)
    return whole.mask(empty, "")


def _with_ids(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Image cells without folder and ending; a cell with a folder becomes the row's ``hint``."""
    if "image_id" not in frame.columns:
        return frame, []
    cells = frame["image_id"].str.replace(r"^(\d+)\.0$", r"\1", regex=True)
    foldered = cells.str.contains("/", regex=False)
    if cells.str.contains("\\", regex=False).any():
        foldered |= cells.str.contains(r"\\.*\.\w{3,4}$", regex=True)
    if not foldered.any():
        return frame.assign(image_id=stems(cells)), []
    paths = cells.str.replace("\\", "/", regex=False).str.removeprefix("./").where(foldered, cells)
    safe = paths.map(is_safe_path) & foldered
    absolute = paths.map(_is_absolute)
    elsewhere = absolute if absolute.all() else ~foldered & False
    names = stems(paths.where(~(safe | elsewhere), paths.str.rpartition("/")[2]))
    if names.duplicated().any():
        names = names.where(~safe, stems(paths).str.replace("/", "-", regex=False))
        note = "image: names repeat in several folders, so the folders are part of the ids"
    elif elsewhere.any():
        note = "image: its cells are paths of another place; the file's name alone is used"
    else:
        note = "image: its cells are paths; the file's name is the id"
    return frame.assign(image_id=names, hint=paths.where(safe, "")), [note]


def _is_absolute(path: str) -> bool:
    """``/home/a/b.jpg`` or ``C:/b.jpg``, as another machine wrote it; only its name is used."""
    parts = path.split("/")
    return (parts[0] == "" or re.fullmatch("[A-Za-z]:", parts[0]) is not None) and ".." not in parts


def _one_hot_block(frame: "pd.DataFrame", hot: list[str]) -> list[str]:
    """The longest run of neighbouring columns with exactly one 1 in every row, if there is one."""
    ones = np.column_stack([frame[name].str.lower().isin(TRUE).to_numpy() for name in hot])
    sums = np.concatenate([np.zeros((len(ones), 1), int), ones.cumsum(axis=1)], axis=1)
    runs = [
        (end - start, start, end)
        for start in range(len(hot))
        for end in range(start + 2, len(hot) + 1)
        if end - start < len(hot) and (sums[:, end] - sums[:, start] == 1).all()
    ]
    longest = [run for run in runs if run[0] == max(runs)[0]]
    return hot[longest[0][1] : longest[0][2]] if len(longest) == 1 and longest[0][0] > 2 else []


def _from_one_hot(frame: pd.DataFrame, key: str, path: Path) -> tuple[pd.DataFrame, list[str]]:
    """The table with a column ``dx`` where columns of 0 and 1 (or True, False) are the classes."""
    if {cols.plain(name) for name in frame.columns} & set(cols.ALIASES["dx"]):
        return frame, []
    others = {alias for kind, known in cols.ALIASES.items() if kind != "dx" for alias in known}
    names = [
        str(n) for n in frame.columns if n != key and cols.plain(n) not in others | NOT_CLASSES
    ]
    lower = {name: frame[name].str.lower() for name in names}
    hot = [n for n in names if lower[n].isin([*TRUE, *FALSE]).all()]
    if len(hot) < 2:
        return frame, []
    ones = np.column_stack([lower[name].isin(TRUE).to_numpy() for name in hot])
    wrong = frame[key][ones.sum(axis=1) != 1]
    if len(wrong) and len(hot) <= 60 and (block := _one_hot_block(frame, hot)):
        hot, wrong = block, wrong[:0]
        ones = np.column_stack([lower[name].isin(TRUE).to_numpy() for name in hot])
    if len(wrong):
        raise DataError(
            f"{path}: no column of labels, and {some(wrong)} must have exactly one 1 and otherwise "
            f"0 in the columns {some(hot)} if those are the classes; mend or drop these rows, or "
            "name the label with --columns label=…"
        )
    if len({name.lower() for name in hot}) < len(hot):
        raise DataError(f"{path}: class columns {some(hot)} differ only in case; rename one")
    dropped = [n for n in frame.columns if n in hot or cols.plain(n) in NOT_CLASSES]
    return frame.drop(columns=dropped).assign(dx=np.array(hot)[ones.argmax(axis=1)]), hot
