"""The manifest: what a run folder says of itself."""

import platform
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from ensemble_kit.core.atomic import sha256_of_file, write_text
from ensemble_kit.core.errors import RunError
from ensemble_kit.core.machine import cores, processor
from ensemble_kit.core.turns import turn_in
from ensemble_kit.core.version import __version__
from ensemble_kit.runs.paths import MANIFEST
from ensemble_kit.runs.records import Record

PACKAGES = ("tensorflow", "keras", "scikit-learn", "numpy", "scipy", "pandas", "optuna", "pillow")


class Manifest(Record):
    """The contents of ``manifest.json``.

    kind : what made the run. status : "running" until every promised file is there.
    *_digest : of the study, the data set and the folds; a run is resumed only if they agree.
    data_root : folder the image paths of ``images.csv`` are relative to ("" where unknown).
    warnings : sentences a reader must see first. notes : sentences on how it was made.
    facts : further recorded facts (times, memory, views used …), plain JSON.
    files : file relative to the run folder -> sha256.
    """

    FILE: ClassVar[str] = MANIFEST

    format_version: int = 1
    kind: Literal["cv", "evaluate", "ensemble", "external"]
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
    status: Literal["running", "complete"] = "running"
    created: str = Field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    finished: str = ""
    spec_digest: str = ""
    data_digest: str = ""
    folds_digest: str = ""
    class_names: tuple[str, ...] = ()
    seed: int = 0
    data_root: str = ""
    git_commit: str = ""
    git_dirty: bool | None = None
    versions: dict[str, str] = Field(default_factory=dict)
    device: dict[str, str] = Field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    facts: dict[str, Any] = Field(default_factory=dict)
    files: dict[str, str] = Field(default_factory=dict)

    @field_validator("created", "finished")
    @classmethod
    def _a_time(cls, text: str) -> str:
        if text:
            datetime.fromisoformat(text)
        return text

    @field_validator("facts")
    @classmethod
    def _bits(cls, facts: dict[str, Any]) -> dict[str, Any]:
        bits = facts.get("pixel_bits", 16)
        if type(bits) is not int or bits not in (0, *range(8, 17)):
            raise ValueError(f"pixel_bits is {bits!r}, but 0 or a number from 8 to 16 is expected")
        return facts

    @property
    def command(self) -> str:
        """The command that made the run."""
        return "validate" if self.kind == "external" else self.kind

    @property
    def pixel_bits(self) -> int:
        """Significant bits of the data set's 16-bit grey pictures; 0 where it has none."""
        return int(self.facts.get("pixel_bits", 16 if self.kind == "cv" else 0))

    def with_(self, **changes: Any) -> "Manifest":
        """A checked copy with some fields replaced."""
        return Manifest.model_validate(self.model_dump() | changes)

    def write(self, folder: Path) -> str:
        """Facts may hold numbers that JSON has no word for; they become null."""
        write_text(folder / MANIFEST, self.model_dump_json(indent=1) + "\n")
        return MANIFEST


def read_manifest(folder: Path) -> Manifest:
    """Read and check the manifest of a run folder."""
    if not (folder / MANIFEST).is_file():
        raise RunError(f"{folder}: not a run folder (it has no {MANIFEST})")
    return Manifest.read(folder)


def is_run(folder: Path) -> bool:
    """Whether a folder has a manifest."""
    return (folder / MANIFEST).is_file()


def write_manifest(folder: Path, manifest: Manifest) -> None:
    manifest.write(folder)


def record_files(folder: Path, names: Iterable[str], **changes: Any) -> Manifest:
    """Add the digests of files (relative names) to the manifest, change fields, write it."""
    digests = {name: sha256_of_file(folder / name) for name in names}
    with turn_in(folder):
        manifest = read_manifest(folder)
        manifest = manifest.with_(files=dict(sorted((manifest.files | digests).items())), **changes)
        write_manifest(folder, manifest)
    return manifest


def environment() -> dict[str, Any]:
    """What the run was made with: the manifest's ``versions``, ``device`` and git fields."""
    versions = {"ensemble_kit": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    commit, dirty = _git_state(Path(__file__).parent)
    device = {
        "system": platform.system(),
        "machine": platform.machine(),
        "processor": processor(),
        "cores": str(cores()),
    }
    return {"versions": versions, "device": device, "git_commit": commit, "git_dirty": dirty}


def _git_state(folder: Path) -> tuple[str, bool | None]:
    """Commit of the code and whether it was changed since; ("", None) outside a checkout."""
    try:
        commit = subprocess.run(
            ["git", "-C", str(folder), "rev-parse", "HEAD"],
            capture_output=True, text=True, timeout=10, check=True,
        ).stdout.strip()  # fmt: skip
        status = subprocess.run(
            ["git", "-C", str(folder), "status", "--porcelain", "--untracked-files=no"],
            capture_output=True, text=True, timeout=10, check=True,
        ).stdout  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return "", None
    return commit, bool(status.strip())
