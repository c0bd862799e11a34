"""A worker's side of the server of files: fetched by digest in chunks, sent back likewise.

What is there of a file is kept when a worker ends amid it, and the next one goes on from there.
"""

import hashlib
import os
import time
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from socket import gethostname
from typing import Self
from urllib.parse import quote

import pooch
from filelock import FileLock

from ensemble_kit.core.atomic import write_text
from ensemble_kit.core.disk import make_folder, writing
from ensemble_kit.core.errors import OutputError, RunError
from ensemble_kit.core.json_text import parse_json

TOKEN = "X-Ensemble-Kit-Token"
CHUNK = 8 << 20
"""Most bytes of one request."""
ANSWER_SECONDS = 60.0
PAUSES = (0.5, 1, 2, 4, 8, 0)
"""Seconds between tries of a request, the last without another."""


@dataclass(frozen=True)
class Stage:
    """How a worker reaches the command that sent a task. folder : of files on the worker, ``~``
    and variables as the worker has them; "": below the user's cache."""

    host: str
    port: int
    token: str
    folder: str

    def here(self) -> Path:
        """The folder on this machine, made where it is not there."""
        named = os.path.expandvars(self.folder)
        if "$" in named:
            raise RunError(
                f"--stage-dir {self.folder}: a variable is not set on {gethostname()}; name "
                "another folder, or set it there"
            )
        usual = Path(pooch.os_cache("ensemble_kit")) / "stage"
        folder = Path(named).expanduser() if named else usual
        make_folder(folder)
        return folder.absolute()


@dataclass(frozen=True)
class ServedFile:
    """A file as its owner has it. place : where it goes below a stage's folder."""

    sha: str
    size: int
    mtime_ns: int
    place: str


class Connection:
    """Requests to a command, one after another. RunError where it does not answer, or says why
    it will not."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._open: HTTPConnection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self._hang_up()

    def ask(self, method: str, *names: str, body: bytes | None = None, **asked: object) -> bytes:
        """One request, tried again where the connection breaks."""
        path = "/" + "/".join(quote(name, safe="") for name in names)
        if asked:
            path += "?" + "&".join(f"{k}={quote(str(v), safe='')}" for k, v in asked.items())
        for pause in PAUSES:
            try:
                return self._once(method, path, body)
            except (OSError, HTTPException) as error:
                self._hang_up()
                reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
                time.sleep(pause)
        raise RunError(
            f"worker {gethostname()} cannot reach this command at {self._stage.host}:"
            f"{self._stage.port} ({reason.lower()}): with --stage workers fetch files from it; let "
            "them through to its ports, or use a shared folder without --stage"
        )

    def events(self, name: str, lines: bytes, stop: str = "") -> bool:
        """Hand events on; whether the work is asked to stop."""
        return bool(parse_json(self.ask("POST", "events", name, body=lines, stop=stop))["stop"])

    def _once(self, method: str, path: str, body: bytes | None) -> bytes:
        stage = self._stage
        if self._open is None:
            self._open = HTTPConnection(stage.host, stage.port, timeout=ANSWER_SECONDS)
        self._open.request(method, path, body, {TOKEN: stage.token})
        answer = self._open.getresponse()
        content = answer.read()
        if answer.status == HTTPStatus.OK:
            return content
        self._hang_up()
        if answer.status == HTTPStatus.CONFLICT:
            raise RunError(content.decode())
        raise RunError(
            f"the command at {stage.host}:{stage.port} does not know {path} ({answer.status}); is "
            "another listening there now? Give the command again"
        )

    def _hang_up(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None


def alive(stage: Stage) -> bool | None:
    """Whether the command lives: False where its port is closed or another's, None where it does
    not answer at the moment."""
    call = HTTPConnection(stage.host, stage.port, timeout=ANSWER_SECONDS)
    try:
        call.request("POST", "/events/alive.jsonl", b"", {TOKEN: stage.token})
        return call.getresponse().status == HTTPStatus.OK
    except ConnectionRefusedError:
        return False
    except (OSError, HTTPException):
        return None
    finally:
        call.close()


def fetch(connection: Connection, folder: Path, served: ServedFile) -> Path:
    """The served file below a folder, fetched unless it is there. Several processes may want
    it: one fetches, the others wait. RunError where it cannot be had."""
    path = folder / served.place
    try:
        make_folder(path.parent)
        with FileLock(path.with_name(f".{path.name}.lock")):
            if not _there(path, served):
                _fetch(connection, path, served)
        return path
    except OutputError as error:
        raise RunError(f"worker {gethostname()}: {error}") from None


def send(connection: Connection, fold: str, path: Path, sha: str) -> None:
    """Send a file of a fold, from where an earlier try ended."""
    held = int(parse_json(connection.ask("GET", "folds", fold, sha))["held"])
    with path.open("rb") as file:
        while True:
            file.seek(held)
            content = file.read(CHUNK)
            if not content:
                return
            answer = connection.ask("PUT", "folds", fold, sha, body=content, at=held)
            held = int(parse_json(answer)["held"])


def _there(path: Path, served: ServedFile) -> bool:
    try:
        return _mark(path).read_text(encoding="utf-8") == _stamp(path, served)
    except OSError:
        return False


def _stamp(path: Path, served: ServedFile) -> str:
    """Digest of a file that was fetched whole, its size, and its time as this disk keeps it."""
    found = path.stat()
    return f"{served.sha} {found.st_size} {found.st_mtime_ns}"


def _mark(path: Path) -> Path:
    """Where a file's stamp is kept."""
    return path.with_name(f".{path.name}.sha256")


def _fetch(connection: Connection, path: Path, served: ServedFile) -> None:
    part = path.with_name(f".{path.name}.{served.sha[:16]}.part")
    for _ in range(2):
        if _fetched(connection, part, served) == served.sha:
            os.utime(part, ns=(served.mtime_ns, served.mtime_ns))
            _mark(path).unlink(missing_ok=True)
            part.replace(path)
            write_text(_mark(path), _stamp(path, served))
            return
        part.unlink()
    raise RunError(
        f"{served.place} arrived twice at worker {gethostname()} with another digest than it has "
        "here: it changed while it was read, or the network damages it; give the command again"
    )


def _fetched(connection: Connection, part: Path, served: ServedFile) -> str:
    """Complete a part; the digest of the whole."""
    with writing(part, served.size), part.open("a+b") as file:
        file.seek(0)
        found = hashlib.file_digest(file, "sha256")
        while (at := file.tell()) < served.size:
            size = min(CHUNK, served.size - at)
            content = connection.ask("GET", "files", served.sha, at=at, size=size)
            if not content:
                break
            file.write(content)
            file.flush()
            found.update(content)
        os.fsync(file.fileno())
    return found.hexdigest()
