"""From a folder to the one table the rest of the program works on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ensemble_kit.core.errors import DataError, count, naming, some
from ensemble_kit.core.formulas import check_table
from ensemble_kit.core.program import program
from ensemble_kit.core.records import ImageTable, Ints, Strings
from ensemble_kit.data.columns import CORE, check_roles
from ensemble_kit.data.groups import independence, pattern_groups, read_pairs, union_groups
from ensemble_kit.data.identical import Identical, find_identical, not_compared
from ensemble_kit.data.images import (
    EXTENSIONS,
    check_ids,
    find_wanted,
    id_of,
    look_for_images,
    paths_of,
)
from ensemble_kit.data.labels import check_names, few_groups, map_labels, parse_min_groups
from ensemble_kit.data.layouts import How, find_layout
from ensemble_kit.data.lost_digits import check_digits
from ensemble_kit.data.metadata import (
    IDS,
    ages,
    check_lesions,
    lesions_within_patients,
    spelling_warnings,
    tidy,
)
from ensemble_kit.data.missing import without_blanks
from ensemble_kit.data.published_split import split_notes
from ensemble_kit.data.sample import draw_sample
from ensemble_kit.study import DataSpec

SAMPLE = "sample"
SAMPLE_DIR = Path("store") / "sample"
DEFAULT = Path("dataset")
INSIDE = (*CORE, "reference", "hint", "group")
LARGE_SHARE, LARGE_LEAST = 0.05, 8


@dataclass(frozen=True, eq=False)
class DataSet:
    """A data set as read.

    table : its images, sorted by id. layout : what was recognised. told : which column was taken
    for what. notes : what was supposed or done. warnings : what a reader must see first.
    file_order : (n,) int rows of ``table`` in the order of the file. identical : images with the
    same bytes under several ids.
    """

    table: ImageTable
    layout: str
    told: str
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    file_order: Ints
    identical: tuple[Identical, ...] = ()

    def interpretation(self) -> dict[str, object]:
        """What a manifest records of the reading."""
        return {
            "layout": self.layout,
            "columns": self.told,
            "notes": list(self.notes),
            "warnings": list(self.warnings),
        }


def data_or_default(given: str | None) -> str:
    """The data set asked for, else ``dataset/``; without that, DataError says how to get one."""
    if given is not None and not given.strip():
        raise DataError("the images' place is empty: give a folder, a table or 'sample'")
    if given:
        return given
    if DEFAULT.is_dir():
        return str(DEFAULT)
    raise DataError(
        f"no data: neither --data nor a study's data.path names any, and there is no folder "
        f"{DEFAULT}/ here; get one with `{program()} fetch ham10000 --to {DEFAULT}/`, or use the "
        "built-in set: --data sample"
    )


def load_table(
    path: Path | str,
    *,
    duplicates: Path | None = None,
    sample_dir: Path = SAMPLE_DIR,
    require_images: bool = True,
) -> ImageTable:
    """The table alone of :func:`load_data`, read with the defaults."""
    spec = DataSpec(duplicates=str(duplicates or ""))
    return load_data(path, spec, sample_dir=sample_dir, require_images=require_images).table


def load_data(
    path: Path | str,
    spec: DataSpec | None = None,
    *,
    sample_dir: Path = SAMPLE_DIR,
    require_images: bool = True,
    contents: bool = True,
) -> DataSet:
    """Read a data set: a folder, a table that names one, a glob, or ``"sample"``.

    path : see :func:`ensemble_kit.data.layouts.find_layout`; ``"sample"`` draws the built-in set
        into ``sample_dir`` once and reads it like any folder.
    spec : how it is to be read (the study's section [data]; its path is not used).
    require_images : False reads the tables alone; ``paths`` are then ``""``.
    contents : whether files of one size are compared, so that an image under two ids is found.
    Returns the images sorted by id, classes sorted and lower-case. Raises DataError.
    """
    spec = spec or DataSpec()
    rule = parse_min_groups(spec.min_groups)
    check_roles(spec.columns)
    place = draw_sample(sample_dir) if str(path) == SAMPLE else Path(path)
    layout = find_layout(place, images=require_images)
    rows = layout.read(layout, How(spec.columns, spec.label_level))
    source = str(layout.table)
    check_ids(rows.frame["image_id"], source)
    for name in ("image_id", *(n for n in IDS if n in rows.frame)):
        check_digits(rows.frame[name], name, source)
    frame, notes = tidy(rows.frame)
    notes = [*rows.notes, *notes]
    frame["dx"] = without_blanks(frame["dx"].str.lower())
    if frame["dx"].str.endswith(".0").any():
        frame["dx"] = frame["dx"].str.replace(r"^(\d+)\.0$", r"\1", regex=True)
    frame["_row"] = np.arange(len(frame))
    if spec.map_labels:
        frame["dx"], said = map_labels(frame["dx"], Path(spec.map_labels))
        frame, notes = frame[frame["dx"] != ""].reset_index(drop=True), [*notes, *said]
    notes += check_names(frame["image_id"], frame["dx"], source, layout.root)
    if "age" in frame.columns:
        frame["age"], said = ages(frame, source)
        notes += said
    frame, said = lesions_within_patients(frame)
    notes += said
    check_lesions(frame, source)
    paths, said = _paths(frame, layout.root, source) if require_images else (None, [])
    notes += said
    if spec.group_pattern:
        names = frame["image_id"] if paths is None else pd.Series(paths)
        found, said = pattern_groups(spec.group_pattern, names.tolist())
        frame["group"] = _united(frame, found)
        notes += said
    order = frame["image_id"].to_numpy(dtype=object).argsort(kind="stable")
    frame = frame.iloc[order].reset_index(drop=True)
    columns = {str(name): _strings(frame[name]) for name in frame.columns if name != "_row"}
    ids, dx = columns["image_id"], columns["dx"]
    files = np.full(len(ids), "", np.str_) if paths is None else np.asarray(paths, np.str_)[order]
    pairs, said, warnings = _pairs(spec, ids)
    notes += said
    same, linked = find_identical(layout.root, files, ids, dx) if contents else ((), None)
    if contents and (left := not_compared(files)):
        notes.append(left)
    more = [found for found in (pairs, linked) if found is not None]
    groups = union_groups(
        ids, columns["lesion_id"], columns["patient_id"],
        np.concatenate(more) if more else None, columns.get("group"),
    )  # fmt: skip
    keep = np.ones(len(ids), np.bool_)
    if rule:
        dx, keep, said = few_groups(dx, groups, rule)
        notes += said
    class_names, labels = np.unique(dx[keep], return_inverse=True)
    if not keep.any():
        raise DataError(
            f"{source}: every class has fewer than {spec.min_groups.partition('=')[0]} groups, so "
            "none is left: ask for fewer groups in --min-groups"
        )
    if len(class_names) < 2 and not keep.all():
        raise DataError(
            f"{source}: --min-groups leaves class {str(class_names[0])!r} alone, but a classifier "
            "needs at least two: ask for fewer groups"
        )
    if len(class_names) < 2:
        raise DataError(
            f"{source}: every image is {str(dx[0])!r}: a classifier needs at least two classes"
        )
    with naming(source):
        table = ImageTable(
            image_ids=ids[keep],
            groups=groups[keep],
            labels=labels.astype(np.int64),
            class_names=tuple(str(name) for name in class_names),
            lesions=columns["lesion_id"][keep],
            patients=columns["patient_id"][keep],
            paths=files[keep],
            slices={n: column[keep] for n, column in columns.items() if n not in INSIDE},
            root=str(layout.root),
        )
        check_table(table)
    single, said_alone = independence(table.lesions, table.patients, table.groups)
    warnings += spelling_warnings(table.patients, table.lesions)
    warnings += [*filter(None, [single]), *_group_warnings(table), *_label_warnings(same)]
    notes += filter(None, [said_alone])
    said, leaks = split_notes(table)
    notes, warnings = [*notes, *said], [*warnings, *leaks]
    if same:
        listed = some(" = ".join(item.image_ids) for item in same)
        notes.append(f"the same image under several ids, kept in one group: {listed}")
    rank = frame["_row"].to_numpy()[keep].argsort(kind="stable").astype(np.int64)
    return DataSet(
        table, layout.name, rows.told, tuple(dict.fromkeys(notes)), tuple(warnings), rank, same
    )


def _strings(column: "pd.Series[str]") -> Strings:
    """The cells as an array of str; by their distinct values, which are mostly few."""
    if column.name == "image_id":
        return np.asarray(column.to_numpy(dtype=object), dtype=np.str_)
    codes, values = pd.factorize(column)
    return np.asarray(values.to_numpy(dtype=object), dtype=np.str_)[codes]


def _paths(frame: pd.DataFrame, root: Path, source: str) -> tuple[list[str], list[str]]:
    """The reference of each row: as the layout gives it, by the table's path, or by its id."""
    if "reference" in frame.columns:
        return frame["reference"].tolist(), []
    ids = frame["image_id"].tolist()
    hints = frame["hint"].tolist() if "hint" in frame.columns else [""] * len(ids)
    paths = [_file_of(root, hint) for hint in hints]
    if all(paths):
        return paths, []
    found, notes = look_for_images(root)
    wanted = [name for name, path in zip(ids, paths, strict=True) if not path]
    found, more = find_wanted(wanted, found, root)
    notes = [*notes, *more]
    if wanted and sum(name in found for name in wanted) < len(wanted) / 2:
        _refuse_other_column(frame, found, source)
    rest = iter(paths_of(wanted, found, root, source))
    return [path or next(rest) for path in paths], notes


def _refuse_other_column(frame: pd.DataFrame, found: Mapping[str, str], source: str) -> None:
    """Raise DataError where few ids name a file, but another column names one in every row."""
    there = {name.lower() for name in found}
    for name in frame.columns:
        if name in INSIDE or name in ("hint", "_row"):
            continue
        cells = frame[name].map(id_of).str.lower()
        if cells.isin(there).all():
            raise DataError(
                f"{source}: image ids ({some(frame['image_id'], 2)}) name no image files, but "
                f"column {name} does in every row ({some(frame[name], 2)}): give --columns "
                f"image={name}"
            )


def _file_of(root: Path, hint: str) -> str:
    """The file that a table's path means, perhaps without its ending; "" where there is none."""
    if not hint or (root / hint).is_file():
        return hint
    return next((hint + end for end in EXTENSIONS if (root / (hint + end)).is_file()), "")


def _united(frame: pd.DataFrame, found: Sequence[str]) -> "pd.Series[str]":
    pattern = pd.Series(list(found), index=frame.index, dtype="str")
    if "group" not in frame.columns:
        return pattern
    return frame["group"].where(frame["group"] != "", pattern)


def _pairs(spec: DataSpec, ids: Strings) -> tuple[Ints | None, list[str], list[str]]:
    if not spec.duplicates:
        return None, [], []
    pairs, notes, warnings = read_pairs(Path(spec.duplicates), ids)
    return pairs, notes, warnings


def _group_warnings(table: ImageTable) -> list[str]:
    """Groups that hold a large share of the images."""
    sizes = np.bincount(table.group_codes)
    large = np.flatnonzero((sizes > LARGE_SHARE * len(table)) & (sizes >= LARGE_LEAST))
    large = large[np.argsort(-sizes[large], kind="stable")]
    if not len(large):
        return []
    names = np.unique(table.groups)
    said = some(f"{names[k]} ({count(int(sizes[k]), 'image')}, {sizes[k] / len(table):.0%})"
                for k in large)  # fmt: skip
    verb = "holds" if len(large) == 1 else "hold"
    return [
        f"group {said} {verb} more than {LARGE_SHARE:.0%} of the images: is it one patient, or a "
        "way of saying that none is known?"
    ]


def _label_warnings(same: Sequence[Identical]) -> list[str]:
    torn = [item for item in same if len(set(item.labels)) > 1]
    if not torn:
        return []
    listed = some(
        ", ".join(f"{name} ({dx})" for name, dx in zip(item.image_ids, item.labels, strict=True))
        for item in torn
    )
    return [f"the same image has different labels: {listed}; one of each is wrong"]
