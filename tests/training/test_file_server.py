"""Files between a command and workers without a shared folder: digests, resuming, refusals."""

import errno
import hashlib
import os
import signal
import subprocess
import sys
import time
from http.client import HTTPConnection

import pytest

from ensemble_kit.core import disk
from ensemble_kit.core.errors import RunError
from ensemble_kit.runs.folds import FoldDone
from ensemble_kit.training.executors import file_client, file_server
from ensemble_kit.training.executors.file_client import TOKEN, Connection, Stage, alive, fetch, send
from ensemble_kit.training.executors.file_server import FileServer
from ensemble_kit.training.staging import FoldReceiver

SLOW = """
import sys, time
from dataclasses import replace
from pathlib import Path
from ensemble_kit.training.executors import file_client as line
line.CHUNK = 1 << 16
ask = line.Connection.ask
def slowly(self, *words, **asked):
    time.sleep(0.05)
    return ask(self, *words, **asked)
line.Connection.ask = slowly
stage = line.Stage("127.0.0.1", int(sys.argv[1]), sys.argv[2], "")
line.fetch(line.Connection(stage), Path(sys.argv[3]), line.ServedFile(*eval(sys.argv[4])))
"""


@pytest.fixture
def server(tmp_path):
    (tmp_path / "events").mkdir()
    opened = FileServer(None, tmp_path / "events", str(tmp_path / "stage"))
    yield opened
    opened.close()


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "pixels.u8"
    path.write_bytes(os.urandom(3_000_001))
    return path


def test_a_file_arrives_with_its_time_and_is_fetched_once(tmp_path, server, file, monkeypatch):
    monkeypatch.setattr(file_client, "CHUNK", 1_000_000)
    served = server.offer(file, "pixels/a/pixels.u8")
    asked = []
    monkeypatch.setattr(FileServer, "answer", counting(asked))
    with Connection(server.stage) as connection:
        there = fetch(connection, tmp_path / "stage", served)
        assert fetch(connection, tmp_path / "stage", served) == there
    assert there.read_bytes() == file.read_bytes()
    assert there.stat().st_mtime_ns == file.stat().st_mtime_ns
    assert len(asked) == 4


def test_a_killed_worker_leaves_a_part_that_the_next_goes_on_from(
    tmp_path, server, file, monkeypatch
):
    served = server.offer(file, "pixels/a/pixels.u8")
    given = (served.sha, served.size, served.mtime_ns, served.place)
    stage = server.stage
    words = [str(stage.port), stage.token, str(tmp_path / "stage"), repr(given)]
    worker = subprocess.Popen([sys.executable, "-c", SLOW, *words])
    folder = tmp_path / "stage/pixels/a"

    def held() -> int:
        return sum(path.stat().st_size for path in folder.glob(".*.part"))

    limit = time.monotonic() + 60
    while held() < 500_000:
        assert time.monotonic() < limit
        assert worker.poll() is None
        time.sleep(0.01)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    there = held()
    assert 500_000 <= there < file.stat().st_size
    asked = []
    monkeypatch.setattr(FileServer, "answer", counting(asked))
    with Connection(stage) as connection:
        fetch(connection, tmp_path / "stage", served)
    assert (folder / "pixels.u8").read_bytes() == file.read_bytes()
    assert sum(asked) == file.stat().st_size - there
    assert not list(folder.glob(".*.part"))


def counting(asked):
    """Bytes of each file request."""
    real = FileServer.answer

    def answer(self, handler, method, kind, names):
        if kind == "files":
            asked.append(int(handler.asked("size")))
        return real(self, handler, method, kind, names)

    return answer


def test_a_file_that_was_changed_on_the_worker_is_fetched_again(tmp_path, server, file):
    served = server.offer(file, "a")
    with Connection(server.stage) as connection:
        fetch(connection, tmp_path / "stage", served).write_bytes(b"other")
        assert fetch(connection, tmp_path / "stage", served).read_bytes() == file.read_bytes()


def test_the_folder_is_named_as_the_worker_has_it(tmp_path, monkeypatch):
    monkeypatch.setenv("SCRATCH", str(tmp_path))
    stage = Stage("h", 1, "t", "$SCRATCH/a")
    assert stage.here() == tmp_path / "a"
    monkeypatch.delenv("SCRATCH")
    with pytest.raises(RunError, match=r"--stage-dir \$SCRATCH/a: a variable is not set"):
        stage.here()


def test_a_damaged_part_is_fetched_anew(tmp_path, server, file):
    served = server.offer(file, "a")
    (tmp_path / "stage").mkdir()
    (tmp_path / f"stage/.a.{served.sha[:16]}.part").write_bytes(b"x" * 1000)
    with Connection(server.stage) as connection:
        assert fetch(connection, tmp_path / "stage", served).read_bytes() == file.read_bytes()


def test_a_file_that_changed_since_it_was_offered_is_refused(tmp_path, server, file):
    served = server.offer(file, "a")
    file.write_bytes(os.urandom(file.stat().st_size))
    with Connection(server.stage) as connection, pytest.raises(RunError, match="another digest"):
        fetch(connection, tmp_path / "stage", served)
    assert not (tmp_path / "stage/a").exists()
    assert not list((tmp_path / "stage").glob(".*.part"))


def test_a_full_disk_of_a_worker_is_named_with_it(tmp_path, server, file, monkeypatch):
    served = server.offer(file, "a")

    class Full:
        def begin(self, path):
            if path.name.endswith(".part"):
                raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(disk, "observer", Full())
    with (
        Connection(server.stage) as connection,
        pytest.raises(RunError, match=r"^worker .*the disk is full"),
    ):
        fetch(connection, tmp_path / "stage", served)


def test_nothing_but_what_was_offered_is_served_and_only_for_the_token(server, file):
    served = server.offer(file, "a")
    assert status(server, f"/files/{served.sha}?at=0&size=5") == 200
    assert status(server, f"/files/{served.sha}?at=0&size=5", "guess") == 403
    assert status(server, f"/files/{hashlib.sha256(b'').hexdigest()}?at=0&size=5") == 404
    for path in ("/files/../../etc/passwd?at=0&size=5", "/", "/folds/none", "/events/a.jsonl"):
        assert status(server, path) == 404
    assert status(server, "/events/..%2Fa.jsonl", method="POST") == 404


def status(server, path: str, token: str = "", method: str = "GET") -> int:
    stage = server.stage
    call = HTTPConnection(stage.host, stage.port)
    call.request(method, path, headers={TOKEN: token or stage.token})
    try:
        return call.getresponse().status
    finally:
        call.close()


def test_events_and_the_wish_to_stop(tmp_path, server):
    with Connection(server.stage) as connection:
        assert not connection.events("fold_0_0.jsonl", b'{"kind": "a"}\n', "stop-1")
        (tmp_path / "events/stop-1").touch()
        assert connection.events("fold_0_0.jsonl", b'{"kind": "b"}\n', "stop-1")
    assert (tmp_path / "events/fold_0_0.jsonl").read_text().count("kind") == 2


def test_a_command_that_ended_is_known_to_be_gone(server, monkeypatch):
    assert alive(server.stage) is True
    server.close()
    assert alive(server.stage) is False
    monkeypatch.setattr(file_client, "PAUSES", (0,))
    with pytest.raises(RunError, match="cannot reach this command at"):
        Connection(server.stage).ask("GET", "folds", "a")


@pytest.fixture
def fold(tmp_path):
    """A fold finished on a worker: its folder and record."""
    folder = tmp_path / "worker"
    folder.mkdir()
    (folder / "history.csv").write_bytes(b"epoch\n" * 500)
    (folder / "model.keras").write_bytes(os.urandom(100_000))
    shas = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}
    return folder, FoldDone(
        digest="d", repeat=0, fold=0, epochs={}, seconds={}, images_per_second={}, peak_memory=1,
        device={"threads": "1"}, files=shas,
    )  # fmt: skip


def test_a_fold_is_published_whole_and_once(tmp_path, server, fold, monkeypatch):
    monkeypatch.setattr(file_client, "CHUNK", 30_000)
    (source, done), target = fold, tmp_path / "runs/a/fold_0"
    server.expect("f", FoldReceiver(target, "d"))
    record = done.model_dump_json().encode()
    with Connection(server.stage) as connection:
        assert connection.ask("GET", "folds", "f") == b""
        for name, sha in done.files.items():
            send(connection, "f", source / name, sha)
        assert not (target / "done.json").exists()
        connection.ask("POST", "folds", "f", body=record)
        assert FoldDone.read(target).whole(target)
        assert not list(target.glob(".*.part"))
        before = (target / "done.json").stat().st_mtime_ns
        for name, sha in done.files.items():  # the same fold from a second worker
            send(connection, "f", source / name, sha)
        connection.ask("POST", "folds", "f", body=record)
        assert (target / "done.json").stat().st_mtime_ns == before
        assert connection.ask("GET", "folds", "f")


def test_a_damaged_fold_is_not_published(tmp_path, server, fold):
    (source, done), target = fold, tmp_path / "runs/a/fold_0"
    server.expect("f", FoldReceiver(target, "d"))
    (source / "model.keras").write_bytes(b"other")
    record = done.model_dump_json().encode()
    with Connection(server.stage) as connection:
        for name, sha in done.files.items():
            send(connection, "f", source / name, sha)
        with pytest.raises(RunError, match="arrived with another digest"):
            connection.ask("POST", "folds", "f", body=record)
    assert not (target / "model.keras").exists()
    assert not (target / "done.json").exists()


def test_a_record_that_names_other_places_is_refused(tmp_path, server, fold):
    _, done = fold
    server.expect("f", FoldReceiver(tmp_path / "runs/a/fold_0", "d"))
    other = done.model_copy(update={"files": {"../manifest.json": "0" * 64}})
    with Connection(server.stage) as connection, pytest.raises(RunError, match="does not know"):
        connection.ask("POST", "folds", "f", body=other.model_dump_json().encode())


def test_chunks_are_bounded(server, file):
    served = server.offer(file, "a")
    size = file_server.CHUNK + 1
    assert status(server, f"/files/{served.sha}?at=0&size={size}") == 404
