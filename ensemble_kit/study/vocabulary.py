"""Words for classes: full names, and which are malignant; read from one TOML file.

The built-in file is dermatology's; a study names another with ``[data] vocabulary``.
"""

import tomllib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from ensemble_kit.core.broken_rules import Settings, broken_rule
from ensemble_kit.core.errors import StudyError
from ensemble_kit.core.regular import MOST_BYTES, read_whole

BUILT_IN = Path(__file__).with_name("vocabulary.toml")
AT_LEAST = 2
"""So many of a data set's classes must be in a vocabulary for it to be about that data set."""


class ClassWords(Settings):
    """Words for one class. name : in full. malignant : of the malignant-versus-benign view."""

    name: str = ""
    malignant: bool = False


class Vocabulary(Settings):
    """field : what it is about. classes : lower-case class name -> its words."""

    field: str = ""
    classes: dict[str, ClassWords] = Field(default_factory=dict)

    @property
    def malignant(self) -> tuple[str, ...]:
        """Names of the malignant classes, sorted."""
        return tuple(sorted(name for name, words in self.classes.items() if words.malignant))

    def full_names(self, class_names: Sequence[str]) -> tuple[str, ...]:
        """The full name of each class, "" where none is known; all "" for a data set of which
        fewer than two classes are in the vocabulary."""
        known = [self.classes.get(name.lower(), ClassWords()).name for name in class_names]
        ours = sum(name.lower() in self.classes for name in class_names)
        return tuple(known) if ours >= AT_LEAST else ("",) * len(known)


def read_vocabulary(path: "Path | str" = "") -> Vocabulary:
    """The vocabulary of a file, by default dermatology's; StudyError where it cannot be used."""
    return _read(Path(path) if path else BUILT_IN)


@lru_cache(maxsize=16)
def _read(path: Path) -> Vocabulary:
    rule = 'a vocabulary is TOML: [classes.mel], then name = "melanoma" and malignant = true'
    try:
        values: dict[str, Any] = tomllib.loads(
            read_whole(path, StudyError, MOST_BYTES).decode("utf-8")
        )
        if isinstance(values.get("classes"), dict):
            values["classes"] = {str(n).lower(): words for n, words in values["classes"].items()}
        return Vocabulary.model_validate(values)
    except OSError as error:
        raise StudyError(
            f"vocabulary {path}: cannot be read ({error.strerror}); name another file in "
            "data.vocabulary, or leave it out for the built-in one"
        ) from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise StudyError(f"vocabulary {path}: {place} {broken_rule(first)}; {rule}") from None
    except (ValueError, RecursionError) as error:
        raise StudyError(f"vocabulary {path}: not TOML ({error}); {rule}") from None
