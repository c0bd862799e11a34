"""Names that people see: of classes and images. What a terminal would act on is no name."""

import re
from collections.abc import Iterable

from ensemble_kit.core.errors import EnsembleKitError, some

CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Control characters, line ends, and marks that reverse the direction of writing."""
LONGEST = 200


def escaped(text: str) -> str:
    """The text with control characters written out (``\\x1b``), so that a terminal shows them."""
    return CONTROL.sub(lambda found: repr(found[0])[1:-1], text) if CONTROL.search(text) else text


def check_shown(names: Iterable[str], what: str, error: type[EnsembleKitError]) -> None:
    """Raise ``error`` where a name holds control characters or is longer than LONGEST letters.

    what : of the names, in the singular ("class", "image id").
    """
    names = [str(name) for name in names]
    if CONTROL.search("".join(names)):
        odd = [repr(name) for name in names if CONTROL.search(name)]
        raise error(
            f"{what} {some(odd, 3)} holds control characters or a line end: rename it in the file"
        )
    if names and max(map(len, names)) > LONGEST:
        odd = [f"{name[:20]}… of {len(name):,} letters" for name in names if len(name) > LONGEST]
        raise error(f"{what} {some(odd, 3)}: at most {LONGEST} are allowed; give it a short name")
