"""Which column of a table means what: by its name, or as the user says."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ensemble_kit.core.errors import DataError, some

ALIASES: dict[str, tuple[str, ...]] = {
    "image_id": (
        "image_id", "image", "image_name", "isic_id", "img_id", "img", "image_file", "file_name",
        "filename", "image_path", "img_path", "filepath", "file_path", "path", "file", "md5hash",
        "ddi_file", "image_filename", "img_name", "imageid", "dicom", "id",
    ),
    "dx": (
        "dx", "benign_malignant", "diagnosis", "diagnostic", "label", "target", "class",
        "class_name", "true_label", "ground_truth", "y_true", "truth", "diagnosis_3",
        "diagnosis_2", "diagnosis_1", "labels", "category", "finding", "disease",
    ),
    "lesion_id": ("lesion_id", "lesion", "lesionid", "lesion_number"),
    "patient_id": (
        "patient_id", "patient", "patientid", "subject_id", "subject", "pid", "case_id", "person",
        "person_id", "participant_id", "mrn", "patient_number", "patient_no", "patient_name",
        "subjectid", "participant",
    ),
    "age": ("age", "age_approx", "patient_age", "age_years"),
    "sex": ("sex", "gender", "patient_sex"),
    "site": (
        "site", "localization", "anatom_site_general", "anatom_site_general_challenge",
        "anatom_site", "region", "location", "body_site", "localisation",
    ),
    "dx_type": ("dx_type", "diagnosis_confirm_type"),
    "source": ("source", "dataset"),
}  # fmt: skip
CORE = ("image_id", "dx", "lesion_id", "patient_id")
ROLES = {
    "image": "image_id", "label": "dx", "patient": "patient_id", "lesion": "lesion_id",
    "age": "age", "sex": "sex", "site": "site", "group": "group",
}  # fmt: skip
"""Words of ``--columns`` and what they are called inside."""
WORDS = {inside: word for word, inside in ROLES.items()}
FOLD_NAMES = ("fold", "folds", "kfold", "fold_id", "cv_fold")
LEVELS = re.compile(r"^diagnosis_(\d)$")


@dataclass(frozen=True)
class Chosen:
    """columns : canonical name -> the columns that are it (several: joined). notes : in words."""

    columns: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...]


def plain(name: object) -> str:
    """A column's name as it is compared: lower-case, blanks and hyphens as ``_``."""
    return re.sub(r"[\s\-]+", "_", str(name).strip().lower())


def parse_columns(text: str) -> dict[str, str]:
    """``image=img_id,label=diagnostic`` as a mapping. Raises DataError."""
    found: dict[str, str] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        role, equals, column = (piece.strip() for piece in part.partition("="))
        if not role or not equals or not column:
            raise DataError(f"--columns {part!r}: give role=column, as in image=img_id")
        if role in found:
            raise DataError(f"--columns names {role} twice; join columns with +: {role}=a+b")
        found[role] = column
    check_roles(found)
    return found


def check_roles(given: Mapping[str, str]) -> None:
    wrong = [role for role in given if role not in ROLES]
    if wrong:
        raise DataError(f"--columns: {some(wrong)} is no role of a column: there are {some(ROLES)}")


def choose(
    columns: Iterable[object],
    given: Mapping[str, str],
    source: str,
    *,
    roles: Sequence[str] = tuple(ALIASES),
    level: int = 0,
    strict: bool = True,
) -> Chosen:
    """The column of every role. given : role of ``--columns`` -> column, several joined by ``+``.

    level : of diagnosis_1, diagnosis_2 …; 0: the finest there. strict : whether a column given
    must be there. The first usual name there is wins, and the others are told of.
    """
    names = [str(name) for name in columns]
    by_plain: dict[str, str] = {}
    for name in names:
        by_plain.setdefault(plain(name), name)
    chosen: dict[str, tuple[str, ...]] = {}
    notes: list[str] = []
    for word, wanted in given.items():
        parts = [part.strip() for part in wanted.split("+")]
        found = [part if part in names else by_plain.get(plain(part), "") for part in parts]
        missing = [part for part, there in zip(parts, found, strict=True) if not there]
        if missing and strict:
            raise DataError(
                f"{source}: --columns {word}={wanted}: no column {some(missing)}; it has "
                f"{some(names, 30)}"
            )
        if not missing:
            chosen[ROLES[word]] = tuple(found)
    taken = {name for parts in chosen.values() for name in parts}
    for role in roles:
        if role in chosen:
            continue
        there = [by_plain[a] for a in ALIASES[role] if a in by_plain and by_plain[a] not in taken]
        if role == "dx" and (level or not _better(there)):
            there = _by_level(there, level, source)
        if not there:
            continue
        chosen[role] = (there[0],)
        taken.add(there[0])
        if len(there) > 1 and role in CORE:
            notes.append(passed_over(role, there))
    return Chosen(chosen, tuple(notes))


def passed_over(role: str, there: Sequence[str]) -> str:
    """What is said where several columns could have a role: the first is taken."""
    word = WORDS[role]
    return f"{word}: {there[0]} is taken, not {some(there[1:])} (--columns {word}=… for another)"


def _better(there: list[str]) -> bool:
    """Whether a label column is there besides the levels of ISIC's archive."""
    return any(not LEVELS.match(plain(name)) for name in there)


def _by_level(there: list[str], level: int, source: str) -> list[str]:
    levels = {int(m.group(1)): n for n in there if (m := LEVELS.match(plain(n)))}
    if not level:
        order = sorted(levels, reverse=True)
        return [levels[k] for k in order] + [n for n in there if n not in levels.values()]
    if level not in levels:
        raise DataError(
            f"{source}: --label-level {level}: there are "
            f"{some(levels[k] for k in sorted(levels)) or 'no columns diagnosis_1, diagnosis_2 …'}"
        )
    return [levels[level]]


def told(chosen: Chosen, source: str) -> str:
    """One sentence: what was taken for what."""
    order = [role for role in (*CORE, "group", "age", "sex", "site") if role in chosen.columns]
    pairs = [f"{WORDS[role]} = {' + '.join(chosen.columns[role])}" for role in order]
    lacking = [w for r, w in (("patient_id", "patient"), ("lesion_id", "lesion"))
               if r not in chosen.columns and "group" not in chosen.columns]  # fmt: skip
    rest = f"; no column for {' or '.join(lacking)}" if lacking else ""
    return f"{source}: {', '.join(pairs)}{rest}"


def is_fold(value: str, most: int) -> bool:
    """Whether a cell is a whole number from 0 to ``most``; 1.0 is."""
    whole, _, rest = value.partition(".")
    digits = whole.isascii() and whole.isdecimal() and not rest.strip("0")
    return digits and len(whole) < 19 and int(whole) <= most
