"""What all JSON files of a run folder have in common: typed, frozen, versioned, read whole."""

from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from ensemble_kit.core.atomic import write_json
from ensemble_kit.core.broken_rules import broken_rule
from ensemble_kit.core.errors import RunError, reason
from ensemble_kit.core.json_text import parse_json
from ensemble_kit.core.regular import MOST_BYTES, read_whole

M = TypeVar("M", bound=BaseModel)
DAMAGED = "the run is damaged"


def read_object(path: Path, remedy: str = DAMAGED) -> dict[str, Any]:
    """The JSON object of a file. Raises RunError with the remedy where it is none."""
    try:
        values = parse_json(read_whole(path, RunError, MOST_BYTES))
    except FileNotFoundError:
        raise RunError(f"{path} is missing; {remedy}") from None
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: cannot be read ({reason(error)}); {remedy}") from None
    if not isinstance(values, dict):
        raise RunError(f"{path}: cannot be read (not an object); {remedy}")
    return values


def read_model(path: Path, model: type[M], key: str, version: int, remedy: str = DAMAGED) -> M:
    """The file as its model, if it has the format version; RunError names the field at fault."""
    return check_model(path, read_object(path, remedy), model, key, version, remedy)


def check_model(
    path: Path, values: dict[str, Any], model: type[M], key: str, version: int, remedy: str
) -> M:
    """The values of a file as its model; see :func:`read_model`."""
    found = values.get(key)
    if found != version or isinstance(found, bool):
        raise RunError(
            f"{path}: {_spoken(key)} {found!r}, but this program reads {version}; use the version "
            f"of ensemble_kit that wrote it, or make it again: {remedy}"
        )
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise RunError(f"{path}: {place} {broken_rule(first)}; {remedy}") from None


def _spoken(key: str) -> str:
    return "report version" if key == "report_version" else "format version"


class Part(BaseModel):
    """A frozen part of a record. An unknown key is refused: a reader that would lose what a
    writer wrote must say so. Values equal in content are equal."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    def plain(self) -> dict[str, Any]:
        """Values for ``json``, keys as in the file."""
        return self.model_dump(by_alias=True)


class Record(Part):
    """The contents of one JSON file of a run folder; every subclass is one file.

    FILE : its name relative to the folder. VERSION_KEY, VERSION : the key that holds the version
    of this file's format, and the one version this program reads. REMEDY : what to do where the
    file is damaged. UNVERSIONED : whether files of before the key was introduced are VERSION.
    """

    FILE: ClassVar[str]
    VERSION_KEY: ClassVar[str] = "format_version"
    VERSION: ClassVar[int] = 1
    REMEDY: ClassVar[str] = DAMAGED
    UNVERSIONED: ClassVar[bool] = False

    @model_validator(mode="after")
    def _one_version(self) -> Self:
        said = getattr(self, self.VERSION_KEY)
        if said != self.VERSION:
            raise ValueError(f"{self.VERSION_KEY} {said} is not {self.VERSION}")
        return self

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the file of a folder. Raises RunError: missing, damaged, or another version."""
        path = folder / cls.FILE
        values = read_object(path, cls.REMEDY)
        if cls.UNVERSIONED:
            values = {cls.VERSION_KEY: cls.VERSION} | values
        return check_model(path, values, cls, cls.VERSION_KEY, cls.VERSION, cls.REMEDY)

    @classmethod
    def find(cls, folder: Path) -> Self | None:
        """As :meth:`read`; None where there is no such file."""
        return cls.read(folder) if (folder / cls.FILE).is_file() else None

    def write(self, folder: Path) -> str:
        """Write the file, whole or not at all; its name, for the manifest."""
        write_json(folder / self.FILE, self.plain())
        return self.FILE
