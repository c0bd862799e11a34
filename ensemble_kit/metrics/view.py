"""Which classes are malignant in the malignant-versus-benign view."""

import re
from collections.abc import Sequence

import numpy as np

from ensemble_kit.core.errors import StudyError, some
from ensemble_kit.core.records import Bools

USUAL = "usual"
"""The word of a study that asks for the classes of the vocabulary."""
NAME, SECOND_NAME = "malignant", "malignant view"
"""What the view is called; the second where a class is called as the first."""
SHORT = frozenset(
    {"mel", "bcc", "akiec", "ak", "ack", "scc", "sccka", "mal_oth", "mcc", "dfsp", "cancer"}
)
"""Abbreviations of ISIC, HAM10000, PAD-UFES-20 and MILK10k. Actinic keratosis is counted with the
malignant, as HAM10000's akiec and ISIC's challenges have it."""
LONG = re.compile(
    r"^melanoma|carcinoma|(^|[ ,])actinic keratos|bowen|^malignant |lymphoma|sarcoma|metasta|"
    r"in situ"
)
BENIGN = re.compile(r"benign|non-?malignant|premalignant|no malign")


def view_mask(asked: Sequence[str], class_names: Sequence[str]) -> Bools:
    """(C,) classes of the view; ``("usual",)`` asks for those the vocabulary knows. Names among no
    class are passed over here: :func:`check_names_of_view` refuses them where a user gives them."""
    if list(asked) == [USUAL]:
        return np.array([_usual(name) for name in class_names], dtype=bool)
    lower = {name.lower() for name in asked}
    return np.array([name.lower() in lower for name in class_names], dtype=bool)


def view_name(class_names: Sequence[str]) -> str:
    """``malignant``, or ``malignant view`` where a class has that name."""
    return SECOND_NAME if NAME in {name.lower() for name in class_names} else NAME


def check_names_of_view(asked: Sequence[str], class_names: Sequence[str]) -> None:
    """Raise StudyError for a name that is no class."""
    if list(asked) == [USUAL]:
        return
    lower = {name.lower() for name in class_names}
    wrong = [name for name in asked if name.lower() not in lower]
    if wrong:
        raise StudyError(
            f"malignant: {some(wrong)} is no class: there are {some(class_names, 20)}; give "
            "names of "
            "classes (--malignant A,B or the study's [evaluation]), 'usual' or none"
        )


def _usual(name: str) -> bool:
    plain = re.sub(r"\s+", " ", name.strip().lower())
    if plain.replace(" ", "_") in SHORT:
        return True
    return bool(LONG.search(plain.replace("_", " ")) and not BENIGN.search(plain))
