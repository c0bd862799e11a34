"""What the classes are: names mapped, levels, slips, classes with few groups."""

import difflib
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ensemble_kit.core.errors import DataError, count, some
from ensemble_kit.core.names import check_shown
from ensemble_kit.core.records import Bools, Strings
from ensemble_kit.data.columns import plain
from ensemble_kit.data.tables import read_table

KNOWN = frozenset(
    {"akiec", "ak", "bcc", "bkl", "df", "mel", "nv", "scc", "unk", "vasc", "ack", "nev", "sek"}
)
"""Diagnoses of ISIC, HAM10000 and PAD-UFES-20; a table that uses two of them is told of others."""
DROP = frozenset({"", "drop"})
RARE = 0.05
NUMBER = re.compile(r"-?\d*\.?\d+(?:e-?\d+)?")
MOST_GRADES = 10
"""More numbers with fractions than that are scores, not grades of a scale."""


@dataclass(frozen=True)
class FewGroups:
    """``--min-groups N=merge:NAME|drop``: what becomes of a class with fewer groups."""

    least: int
    merged_into: str = ""


def parse_min_groups(text: str) -> FewGroups | None:
    """The option as a value; None for ``""``. Raises DataError."""
    if not text:
        return None
    found = re.fullmatch(r"(\d+)=(?:drop|merge:(.+))", text.strip())
    if not found or int(found.group(1)) < 2:
        raise DataError(
            f"--min-groups {text!r}: give N=drop or N=merge:NAME with N at least 2, as in "
            "5=merge:other"
        )
    return FewGroups(int(found.group(1)), (found.group(2) or "").strip().lower())


YES = ("1", "1.0", "true", "t", "yes", "y", "drop", "x")
NO = ("", "0", "0.0", "false", "f", "no", "n", "keep", "nan")


def map_labels(dx: "pd.Series[str]", path: Path) -> tuple["pd.Series[str]", list[str]]:
    """Labels through a table of columns from, to (and drop); ``""`` where the row is to be dropped.

    Every label must be listed once. Raises DataError.
    """
    frame = read_table(path).frame
    names = {plain(name): str(name) for name in frame.columns}
    if "from" not in names or not ({"to", "drop"} & set(names)):
        raise DataError(
            f"{path}: needs columns from and to (or drop); it has {some(frame.columns)}"
        )
    old = frame[names["from"]].str.normalize("NFC").str.lower().tolist()
    twice = sorted({name for name in old if old.count(name) > 1})
    if twice:
        raise DataError(f"{path}: {some(twice)} mapped more than once; one row a label")
    blank = [""] * len(frame)
    new = (
        frame[names["to"]].str.normalize("NFC").str.lower().tolist() if "to" in names else list(old)
    )
    dropped = frame[names["drop"]].str.lower().tolist() if "drop" in names else blank
    if odd := sorted({d for d in dropped if d not in (*YES, *NO)}):
        raise DataError(
            f"{path}: drop is {some(map(repr, odd))}: write yes or no, or leave the cell empty"
        )
    table = {
        a: "" if d in YES or b in DROP else b for a, b, d in zip(old, new, dropped, strict=True)
    }
    there = set(dx.unique())
    missing = sorted(there - set(table))
    if missing:
        raise DataError(
            f"{path}: label {some(missing)} of the data set is not in its column from; list every "
            "label, with drop for those to leave out"
        )
    unused = sorted(set(table) - there)
    mapped = dx.map(table)
    gone = int((mapped == "").sum())
    if gone == len(mapped):
        raise DataError(f"{path} drops every image: keep the labels of two classes at least")
    notes = [f"labels mapped by {path.name}: {_counts(mapped[mapped != ''])}"]
    if gone:
        notes.append(f"{count(gone, 'image')} dropped by {path.name}")
    if unused:
        notes.append(f"{path.name} lists {some(unused)}, which no image has")
    return mapped, notes


def few_groups(dx: Strings, groups: Strings, rule: FewGroups) -> tuple[Strings, Bools, list[str]]:
    """Labels after the rule, a mask of the rows kept, and what was done."""
    frame = pd.DataFrame({"dx": dx, "group": groups})
    number = frame.groupby("dx")["group"].nunique()
    few = sorted(str(name) for name in number.index[number < rule.least])
    keep = np.ones(len(dx), np.bool_)
    if not few:
        return dx, keep, []
    listed = some(f"{name} ({count(int(number[name]), 'group')})" for name in few)
    if not rule.merged_into:
        keep = ~np.isin(dx, few)
        gone = count(int((~keep).sum()), "image")
        return dx, keep, [f"classes with fewer than {rule.least} groups dropped: {listed}; {gone}"]
    merged = np.where(np.isin(dx, few), rule.merged_into, dx).astype(np.str_)
    there = frame["group"][merged == rule.merged_into].nunique()
    note = f"classes with fewer than {rule.least} groups merged into {rule.merged_into}: {listed}"
    if there < rule.least:
        note += f"; {rule.merged_into} has {count(int(there), 'group')}"
    return merged, keep, [note]


def check_names(ids: "pd.Series[str]", dx: "pd.Series[str]", source: str, root: Path) -> list[str]:
    """Refuse blank labels, a class called image, names outside classes.txt and likely slips."""
    blank = ids[dx == ""]
    if len(blank):
        raise DataError(
            f"{source}: no dx for {some(blank)}: every image needs a diagnosis; fill the label in, "
            "drop the rows, or name another column: --columns label=…"
        )
    present = set(dx.unique())
    check_shown(sorted(present), f"{source}: class", DataError)
    if "image" in present:
        raise DataError(
            f"{source}: dx 'image' ({some(ids[dx == 'image'])}) cannot name a class: tables of "
            "probabilities call their first column so; rename the class"
        )
    note = _fractions(dx, present, source)
    listed = root / "classes.txt"
    if listed.is_file():
        lines = listed.read_text(encoding="utf-8", errors="replace").splitlines()
        allowed = {line.strip().lower() for line in lines if line.strip()}
        if present - allowed:
            raise _unknown(ids, dx, present - allowed, source, allowed)
        return note
    slips = _slips(dx, present)
    if slips:
        said = present - set(slips) if not present & KNOWN else KNOWN
        raise _unknown(ids, dx, set(slips), source, said, slips)
    foreign = sorted(present - KNOWN)
    if len(present & KNOWN) >= 2 and foreign:
        tally = dx.value_counts()
        told = some(f"{name} ({count(int(tally[name]), 'image')})" for name in foreign)
        return [f"classes beside the usual diagnoses: {told}; if one is a slip, mend its rows"]
    return note


def _fractions(dx: "pd.Series[str]", present: set[str], source: str) -> list[str]:
    """Refuse a column of scores as labels; a few numbers with a point are told of."""
    numbers = [name for name in present if NUMBER.fullmatch(name)]
    broken = sorted(name for name in numbers if "." in name)
    if not broken or len(numbers) < len(present) / 2:
        return []
    if len(present) > MOST_GRADES:
        raise DataError(
            f"{source}: the labels are {len(present):,} numbers with fractions "
            f"({some(broken, 3)}): scores, not classes; name the column of the classes: "
            "--columns label=…"
        )
    return [f"the classes are the numbers {some(sorted(present, key=str), MOST_GRADES)}"]


def _slips(dx: "pd.Series[str]", present: set[str]) -> dict[str, str]:
    """Rare name -> the name it is likely meant for."""
    tally = dx.value_counts()
    found = {}
    for name in sorted(present - KNOWN):
        bare = re.sub(r"[^\w\s]+$", "", name).strip()
        others = (present | (KNOWN if len(present & KNOWN) >= 2 else frozenset())) - {name}
        if re.search(r"[?!]", name) and (tally[name] <= max(1, RARE * len(dx))):
            found[name] = bare
            continue
        near = difflib.get_close_matches(name, sorted(others), 1, 0.85) if len(name) > 3 else []
        letters = near and not re.search(r"\d", name + near[0]) and " " not in name
        if letters and tally[name] <= RARE * tally.get(near[0], 0):
            found[name] = near[0]
    return found


def _unknown(
    ids: "pd.Series[str]", dx: "pd.Series[str]", names: set[str], source: str,
    allowed: "set[str] | frozenset[str]", meant: dict[str, str] | None = None,
) -> DataError:  # fmt: skip
    values = []
    for name in dict.fromkeys(dx[dx.isin(names)].tolist()):
        rows = ids[dx == name]
        head = "" if len(rows) == 1 else ", the first"
        colon = ":" if len(rows) == 1 else ""
        values.append(f"{name!r} ({count(len(rows), 'image')}{colon}{head} {rows.iloc[0]})")
    likely = [f"{b!r} for {a!r}" for a, b in (meant or {}).items() if b and b != a]
    hint = f" (perhaps {some(likely)})" if likely else ""
    return DataError(
        f"{source}: unknown dx {some(values)}{hint}: the diagnoses are "
        f"{some(sorted(allowed), 20)}; mend the rows, map them with --map-labels, or list the "
        "classes of this data set in classes.txt, one a line"
    )


def disagreeing(frame: pd.DataFrame, label: str, others: list[str]) -> list[str]:
    """A sentence for each other label column of the same names that differs in many rows."""
    notes = []
    ours = frame[label].str.lower()
    for name in others:
        theirs = frame[name].str.lower()
        if not set(theirs.unique()) - {""} <= set(ours.unique()):
            continue
        differ = (theirs != ours) & (theirs != "")
        if differ.any():
            share = f"{int(differ.sum()):,} of {len(frame):,}"
            notes.append(
                f"label columns {label} and {name} disagree in {share} rows; {label} is used"
            )
    return notes


def _counts(dx: "pd.Series[str]") -> str:
    tally = dx.value_counts().sort_index()
    return some((f"{name} {number:,}" for name, number in tally.items()), 30)
