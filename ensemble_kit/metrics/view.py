"""Which classes are malignant in the malignant-versus-benign view."""

import re
from collections.abc import Sequence

import numpy as np

from ensemble_kit.core.errors import StudyError, some
from ensemble_kit.core.records import Bools
from ensemble_kit.study.vocabulary import read_vocabulary

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
    """(C,) classes of the view; ``("usual",)`` or the built-in
    vocabulary's names ask for all that are known, abbreviated or in full. Names among no
    class are passed over here: :func:`check_names_of_view` refuses them where a user gives them."""
    lower = {name.lower() for name in asked}
    if USUAL in lower or tuple(asked) == read_vocabulary().malignant:
        known = lower | set(read_vocabulary().malignant)
        return np.array([n.lower() in known or _usual(n) for n in class_names], dtype=bool)
    return np.array([name.lower() in lower for name in class_names], dtype=bool)


def view_name(class_names: Sequence[str]) -> str:
    """``malignant``, or ``malignant view`` where a class has that name."""
    return SECOND_NAME if NAME in {name.lower() for name in class_names} else NAME


def check_names_of_view(
    asked: Sequence[str], class_names: Sequence[str], vocabulary: str = ""
) -> None:
    """Raise StudyError for a name that is no class, unless the names are the vocabulary's."""
    usual = [read_vocabulary(file).malignant for file in ("", vocabulary)]
    if list(asked) == [USUAL] or tuple(asked) in usual:
        return
    lower = {name.lower() for name in class_names}
    wrong = [name for name in asked if name.lower() not in lower]
    if wrong:
        raise StudyError(
            f"malignant: {some(wrong)} is no class: there are {some(class_names, 20)}; give "
            "names of classes (--malignant A,B or the study's [evaluation]), 'usual' or none"
        )


def _usual(name: str) -> bool:
    plain = re.sub(r"\s+", " ", name.strip().lower())
    if plain.replace(" ", "_") in SHORT:
        return True
    return bool(LONG.search(plain.replace("_", " ")) and not BENIGN.search(plain))
