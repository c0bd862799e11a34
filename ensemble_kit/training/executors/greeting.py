"""What a worker must be before it gets a task: of the driver's versions, with the same folders."""

import os
import secrets
import socket
from collections.abc import Iterable, Mapping
from contextlib import suppress
from importlib import metadata
from pathlib import Path

from ensemble_kit.core.disk import make_folder, writing
from ensemble_kit.core.errors import EnsembleKitError, RunError
from ensemble_kit.core.version import __version__
from ensemble_kit.models.device import configured_backend
from ensemble_kit.training.executors.base import CONNECT_SECONDS, Executor, Terms
from ensemble_kit.training.executors.file_client import Stage

PLACE = ".place"
"""A hidden file of a folder that drivers and workers share; holds a name drawn by chance."""
OURS = "ensemble-kit"

_checked: set[str] = set()


def versions_here() -> dict[str, str]:
    """The packages whose versions must be the same everywhere."""
    there = {name: _version(name) for name in (OURS, "keras", configured_backend())}
    return {name: version for name, version in there.items() if version is not None}


def marked(folders: Iterable[Path]) -> dict[Path, str]:
    """Each folder, made where it is not there, with the content of its mark."""
    places = {}
    for folder in folders:
        make_folder(folder)
        mark = folder.absolute() / PLACE
        with writing(mark), suppress(FileExistsError), mark.open("x", encoding="utf-8") as file:
            file.write(secrets.token_hex(16))
        places[folder.absolute()] = mark.read_text(encoding="utf-8")
    return places


def greet(executor: Executor, terms: Terms) -> None:
    """RunError naming the first worker that does not fit, before it gets any task."""
    for package, ours in terms.versions.items():
        # a function of the standard library: it can be asked for whatever a worker has installed
        for worker, theirs in executor.ask(metadata.version, package).items():
            found = None if isinstance(theirs, Exception) else str(theirs)
            if (complaint := _other_version(package, ours, found)) is not None:
                raise RunError(f"worker {worker} {complaint}")
    for worker, complaint in executor.ask(complaint_here, terms, __version__).items():
        if isinstance(complaint, Exception):
            raise RunError(
                f"worker {worker} cannot run ensemble_kit {__version__} ({complaint}); install "
                "this version there"
            )
        if complaint is not None:
            raise RunError(f"worker {worker} {complaint}")


def complaint_here(terms: Terms, version: str) -> str | None:
    """Why this worker does not fit, if it does not. version : of the driver's source."""
    for package, ours in terms.versions.items():
        if (complaint := _other_version(package, ours, _version(package))) is not None:
            return complaint
    if (complaint := _other_version("ensemble_kit", version, __version__)) is not None:
        return complaint
    if terms.stage is not None:
        return _unreached(terms.stage)
    unseen = _unseen(terms.places)
    if not unseen:
        return None
    return (
        f"does not see the folder {unseen[0]} of this machine (there is none, or another of that "
        "name): driver and workers need one shared folder, under the same path, for --store and "
        "the results; --stage needs none"
    )


def _unreached(stage: Stage) -> str | None:
    """What is wrong with a worker's folder for files, or with its way to the command."""
    try:
        marked([stage.here()])
    except EnsembleKitError as error:
        return f"cannot keep files there: {error}"
    try:
        socket.create_connection((stage.host, stage.port), timeout=CONNECT_SECONDS).close()
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        return (
            f"does not reach this command at {stage.host}:{stage.port} ({reason.lower()}), where "
            "workers fetch files with --stage: let them through to its ports, or use a shared "
            "folder without --stage"
        )
    return None


def check_here(terms: Terms) -> None:
    """The same of the worker that is about to run a task: it may have joined after the greeting."""
    if terms.token in _checked:
        return
    if (complaint := complaint_here(terms, __version__)) is not None:
        raise RunError(f"worker {socket.gethostname()} (process {os.getpid()}) {complaint}")
    _checked.add(terms.token)


def _unseen(places: Mapping[Path, str]) -> list[Path]:
    """The folders that are not here, or are others of the same name."""
    unseen = []
    for folder, name in places.items():
        try:
            if (folder / PLACE).read_text(encoding="utf-8") != name:
                unseen.append(folder)
        except OSError:
            unseen.append(folder)
    return unseen


def _other_version(package: str, ours: str, theirs: str | None) -> str | None:
    if theirs == ours:
        return None
    has = f"has {package} {theirs}" if theirs else f"has no {package}"
    return (
        f"{has}, this command {package} {ours}: their results may differ; install the same "
        "version on both"
    )


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
