"""Names that people see: of classes and images. What a terminal would act on is no name."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from unicodedata import normalize

from ensemble_kit.core.errors import EnsembleKitError, some

CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200b\u2028\u2029\u202a-\u202e\u2060\u2066-\u2069\ud800-\udfff\ufeff]"
)
"""Control characters, line ends, characters without width, marks that reverse the direction of
writing, and what is not UTF-8 in names of files."""
OVER_ALL = ("macro", "micro", "top-1")
"""What tables of figures call those over all classes."""
LONGEST, LONGEST_ID, LONGEST_PATH = 200, 1000, 4096


def escaped(text: str) -> str:
    """The text with control characters written out (``\\x1b``), so that a terminal shows them."""
    return CONTROL.sub(lambda found: repr(found[0])[1:-1], text) if CONTROL.search(text) else text


def check_shown(
    names: Iterable[str], what: str, error: type[EnsembleKitError], longest: int = LONGEST
) -> None:
    """Raise ``error`` where a name holds control characters or is longer than so many letters.

    what : of the names, in the singular ("class", "image id").
    """
    names = [str(name) for name in names]
    if CONTROL.search("".join(names)):
        odd = [repr(name) for name in names if CONTROL.search(name)]
        raise error(
            f"{what} {some(odd, 3)} holds control characters, a line end or bytes that are not "
            "UTF-8: rename it"
        )
    if names and max(map(len, names)) > longest:
        odd = [f"{name[:20]}… of {len(name):,} letters" for name in names if len(name) > longest]
        raise error(f"{what} {some(odd, 3)}: at most {longest} are allowed; give it a short name")


def check_classes(names: Iterable[str], error: type[EnsembleKitError]) -> None:
    """:func:`check_shown` for classes, none of which may have the name of a figure over all."""
    names = [str(name) for name in names]
    check_shown(names, "class", error)
    if taken := [name for name in names if name in OVER_ALL]:
        raise error(f"class {some(taken)} has the name of figures over all classes: rename it")


def check_unlike(class_names: Iterable[str], error: type[EnsembleKitError]) -> None:
    """Raise ``error`` where classes differ in upper and lower case alone, or in the width or
    joining of the same letters (NFKC)."""
    names = list(class_names)
    spelled = Counter(name.casefold() for name in names)
    if alike := [name for name in names if spelled[name.casefold()] > 1]:
        raise error(
            f"classes {some(alike)} differ by upper and lower case alone: one column a class; "
            "rename or join them"
        )
    letters = [normalize("NFKC", name).casefold() for name in names]
    if alike := [name for name, own in zip(names, letters, strict=True) if letters.count(own) > 1]:
        raise error(
            f"classes {some(alike)} are the same letters in another form (full width, ligature, "
            "superscript): rename or join them"
        )


def parted_by(class_names: Iterable[str]) -> str:
    """What stands between the classes of a prediction set: a blank, or what none of the names
    holds where one of them holds a blank."""
    names = "\n".join(class_names)
    return next((sign for sign in (" ", "; ", " | ", " & ") if sign not in names), "\t")


def check_named(ids: Sequence[str], error: type[EnsembleKitError]) -> None:
    """Raise ``error`` where an image has no id."""
    if blank := [place + 1 for place, name in enumerate(ids) if not name.strip()]:
        raise error(f"no image id in row {some(blank)}: give every image its id, or drop the rows")
