"""Folds for workers without a shared folder: what they lack is fetched, results are sent back.

A fold's pixels, activations and weights are files that the command offers by digest. Activations
that it does not have are computed on the worker, from the pixels, into a store of the worker's own.
"""

import hashlib
import shutil
import threading
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from socket import gethostname
from tempfile import TemporaryDirectory
from typing import Self

from filelock import FileLock

from ensemble_kit.core.atomic import sha256_of_file
from ensemble_kit.core.disk import make_folder, writing
from ensemble_kit.core.errors import OutputError, RunError
from ensemble_kit.core.json_text import parse_json
from ensemble_kit.models.own import is_file
from ensemble_kit.runs.folds import FoldDone
from ensemble_kit.stores.activations import FOLDER, ActivationStore, open_store
from ensemble_kit.training.executors.file_client import (
    CHUNK,
    Connection,
    ServedFile,
    Stage,
    fetch,
    send,
)
from ensemble_kit.training.executors.file_server import FileServer
from ensemble_kit.training.filling import FillJob, fill_task
from ensemble_kit.training.fold import read_done, train_once
from ensemble_kit.training.jobs import FoldJob

RELAY_SECONDS = 0.5
PART = ".part"


@dataclass(frozen=True, eq=False)
class StagedJob:
    """A fold as it is handed to a worker without a shared folder; paths of the job are the
    command's. served_files : what the worker keeps for later folds too. base, weights : those
    among them that the network is built from. rows : the fold's own arrays."""

    job: FoldJob
    name: str
    served_files: tuple[ServedFile, ...]
    pixels: ServedFile
    base: ServedFile | None
    weights: ServedFile | None
    rows: ServedFile


def stage_job(job: FoldJob, server: FileServer) -> StagedJob:
    """Offer what a fold needs and expect its files. job : packed."""
    assert job.rows is not None
    pixels = server.offer(job.pixels.path, f"pixels/{job.pixels.path.parent.name}/"
                            f"{job.pixels.path.name}")  # fmt: skip
    backbone = job.spec.model.backbone
    base = _offer_network(server, Path(backbone)) if is_file(backbone) else None
    weights = None if job.weights is None else _offer_network(server, job.weights)
    stored = []
    for key in job.keys:
        store = ActivationStore(job.store_dir / FOLDER / key.digest[:16], key)
        for view in range(job.views):
            if store.ready(view):
                files = [*(store.path(view, part) for part in store.parts(view)),
                         store.done_path(view)]  # fmt: skip
                stored += [server.offer(f, f"{FOLDER}/{f.parent.name}/{f.name}") for f in files]
    name = hashlib.sha256(f"{job.folder} {job.digest} {job.seed}".encode()).hexdigest()[:16]
    server.expect(name, FoldReceiver(job.folder, job.digest))
    served_files = (pixels, *(p for p in (base, weights) if p is not None), *stored)
    rows = server.offer(job.rows, job.rows.name)
    return StagedJob(job, name, served_files, pixels, base, weights, rows)


def _offer_network(server: FileServer, path: Path) -> ServedFile:
    """A file that a network is built from, in a folder of its own: its name is kept."""
    served = server.offer(path, path.name)
    return replace(served, place=f"networks/{served.sha[:16]}/{path.name}")


class FoldReceiver:
    """Takes a fold's files, each as a part named by its digest, and puts them in place together."""

    def __init__(self, folder: Path, digest: str) -> None:
        self._folder, self._digest, self._lock = folder, digest, threading.Lock()

    def finished(self) -> bytes | None:
        done = read_done(self._folder, self._digest)
        return None if done is None else done.model_dump_json().encode()

    def held(self, sha: str) -> int:
        part = self._part(sha)
        return part.stat().st_size if part.is_file() else 0

    def take(self, sha: str, at: int, content: bytes) -> int:
        with self._lock:
            make_folder(self._folder)
            if self.held(sha) == at:
                with writing(self._folder, len(content)), self._part(sha).open("ab") as file:
                    file.write(content)
            return self.held(sha)

    def publish(self, record: bytes) -> None:
        done = FoldDone.model_validate(parse_json(record.decode()))
        if done.digest != self._digest or not all(map(_plain, done.files)):
            raise ValueError(done.digest)
        with self._lock, FileLock(self._folder / ".lock"):
            if read_done(self._folder, self._digest) is None:
                self._check(done)
                for name, sha in done.files.items():
                    with writing(self._folder / name):
                        self._part(sha).replace(self._folder / name)
                done.write(self._folder)
            for part in self._folder.glob(f".*{PART}"):
                part.unlink()

    def _part(self, sha: str) -> Path:
        return self._folder / f".{sha}{PART}"

    def _check(self, done: FoldDone) -> None:
        for name, sha in done.files.items():
            if sha256_of_file(self._part(sha)) != sha:
                self._part(sha).unlink()
                raise RunError(
                    f"{name} of fold {done.fold} arrived with another digest than its worker gave "
                    "it; give the command again"
                )


def _plain(name: str) -> bool:
    return Path(name).name == name and not name.startswith(".")


def train_staged(staged: StagedJob, stage: Stage) -> FoldDone:
    """Fetch what is lacking, train, send the fold's files; runs in a worker."""
    folder = stage.here()
    with Connection(stage) as connection:
        if found := connection.ask("GET", "folds", staged.name):
            return FoldDone.model_validate(parse_json(found.decode()))
        for served in staged.served_files:
            fetch(connection, folder, served)
        with TemporaryDirectory(prefix="ensemble_kit_events_") as events:
            fetch(connection, Path(events), staged.rows)
            job = _as_here(staged, folder, Path(events))
            try:
                with Relay(stage, staged.job, job):
                    _fill(job)
                    done = train_once(job)
            except OutputError as error:
                raise RunError(f"worker {gethostname()}: {error}") from None
        for name, sha in done.files.items():
            send(connection, staged.name, job.folder / name, sha)
        connection.ask("POST", "folds", staged.name, body=done.model_dump_json().encode())
    shutil.rmtree(job.folder, ignore_errors=True)
    return done


def _as_here(staged: StagedJob, folder: Path, events: Path) -> FoldJob:
    """The job with the paths of this worker."""
    job, spec = staged.job, staged.job.spec
    if staged.base is not None:
        spec = spec.override({"model": {"backbone": str(folder / staged.base.place)}})
    return replace(
        job,
        spec=spec,
        pixels=replace(job.pixels, path=folder / staged.pixels.place),
        weights=None if staged.weights is None else folder / staged.weights.place,
        store_dir=folder,
        folder=folder / "folds" / staged.name,
        events=events / job.events.name,
        rows=events / staged.rows.place,
        stop=None if job.stop is None else events / job.stop.name,
    )


def _fill(job: FoldJob) -> None:
    """Compute the activations that the command did not have."""
    stores = [open_store(job.store_dir, key) for key in job.keys]
    if all(store.ready(view) for store in stores for view in range(job.views)):
        return
    events = job.events.with_name("fill.jsonl")
    fill_task(
        FillJob(job.spec, len(job.class_names), job.weights, job.pixels, job.store_dir, job.keys,
                job.views, events, job.threads)
    )  # fmt: skip


class Relay:
    """While it is open, hands a job's events to its command, and the command's wish to stop to the
    job."""

    def __init__(self, stage: Stage, theirs: FoldJob, here: FoldJob) -> None:
        self._line, self._here, self._name = Connection(stage), here, theirs.events.name
        self._stop = "" if theirs.stop is None else theirs.stop.name
        self._at = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._ended.set()
        self._thread.join()
        with self._line, suppress(RunError):
            self._pass_on()

    def _follow(self) -> None:
        while not self._ended.wait(RELAY_SECONDS):
            with suppress(RunError):  # the lease says when the command is no more
                self._pass_on()

    def _pass_on(self) -> None:
        lines = b""
        if self._here.events.is_file():
            with self._here.events.open("rb") as file:
                file.seek(self._at)
                lines = file.read(CHUNK)
            lines = lines[: lines.rfind(b"\n") + 1]
        if not lines and not self._stop:
            return
        if self._line.events(self._name, lines, self._stop) and self._here.stop is not None:
            self._here.stop.touch()
        self._at += len(lines)
