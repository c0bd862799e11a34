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
from ensemble_kit.training.executors import exchange as exchange_module
from ensemble_kit.training.executors import line as line_module
from ensemble_kit.training.executors.exchange import Exchange
from ensemble_kit.training.executors.line import TOKEN, Line, Stage, alive, fetch, send
from ensemble_kit.training.staging import FoldDesk

SLOW = """
import sys, time
from dataclasses import replace
from pathlib import Path
from ensemble_kit.training.executors import line
line.CHUNK = 1 << 16
ask = line.Line.ask
def slowly(self, *words, **asked):
    time.sleep(0.05)
    return ask(self, *words, **asked)
line.Line.ask = slowly
stage = line.Stage("127.0.0.1", int(sys.argv[1]), sys.argv[2], "")
line.fetch(line.Line(stage), Path(sys.argv[3]), line.Parcel(*eval(sys.argv[4])))
"""


@pytest.fixture
def exchange(tmp_path):
    (tmp_path / "events").mkdir()
    opened = Exchange(None, tmp_path / "events", str(tmp_path / "stage"))
    yield opened
    opened.close()


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "pixels.u8"
    path.write_bytes(os.urandom(3_000_001))
    return path


def test_a_file_arrives_with_its_time_and_is_fetched_once(tmp_path, exchange, file, monkeypatch):
    monkeypatch.setattr(line_module, "CHUNK", 1_000_000)
    parcel = exchange.offer(file, "pixels/a/pixels.u8")
    asked = []
    monkeypatch.setattr(Exchange, "answer", counting(asked))
    with Line(exchange.stage) as line:
        there = fetch(line, tmp_path / "stage", parcel)
        assert fetch(line, tmp_path / "stage", parcel) == there
    assert there.read_bytes() == file.read_bytes()
    assert there.stat().st_mtime_ns == file.stat().st_mtime_ns
    assert len(asked) == 4


def test_a_killed_worker_leaves_a_part_that_the_next_goes_on_from(
    tmp_path, exchange, file, monkeypatch
):
    parcel = exchange.offer(file, "pixels/a/pixels.u8")
    given = (parcel.sha, parcel.size, parcel.mtime_ns, parcel.place)
    stage = exchange.stage
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
    monkeypatch.setattr(Exchange, "answer", counting(asked))
    with Line(stage) as line:
        fetch(line, tmp_path / "stage", parcel)
    assert (folder / "pixels.u8").read_bytes() == file.read_bytes()
    assert sum(asked) == file.stat().st_size - there
    assert not list(folder.glob(".*.part"))


def counting(asked):
    """Bytes of each file request."""
    real = Exchange.answer

    def answer(self, handler, method, kind, names):
        if kind == "files":
            asked.append(int(handler.asked("size")))
        return real(self, handler, method, kind, names)

    return answer


def test_a_file_that_was_changed_on_the_worker_is_fetched_again(tmp_path, exchange, file):
    parcel = exchange.offer(file, "a")
    with Line(exchange.stage) as line:
        fetch(line, tmp_path / "stage", parcel).write_bytes(b"other")
        assert fetch(line, tmp_path / "stage", parcel).read_bytes() == file.read_bytes()


def test_the_folder_is_named_as_the_worker_has_it(tmp_path, monkeypatch):
    monkeypatch.setenv("SCRATCH", str(tmp_path))
    stage = Stage("h", 1, "t", "$SCRATCH/a")
    assert stage.here() == tmp_path / "a"
    monkeypatch.delenv("SCRATCH")
    with pytest.raises(RunError, match=r"--stage-dir \$SCRATCH/a: a variable is not set"):
        stage.here()


def test_a_damaged_part_is_fetched_anew(tmp_path, exchange, file):
    parcel = exchange.offer(file, "a")
    (tmp_path / "stage").mkdir()
    (tmp_path / f"stage/.a.{parcel.sha[:16]}.part").write_bytes(b"x" * 1000)
    with Line(exchange.stage) as line:
        assert fetch(line, tmp_path / "stage", parcel).read_bytes() == file.read_bytes()


def test_a_file_that_changed_since_it_was_offered_is_refused(tmp_path, exchange, file):
    parcel = exchange.offer(file, "a")
    file.write_bytes(os.urandom(file.stat().st_size))
    with Line(exchange.stage) as line, pytest.raises(RunError, match="another digest"):
        fetch(line, tmp_path / "stage", parcel)
    assert not (tmp_path / "stage/a").exists()
    assert not list((tmp_path / "stage").glob(".*.part"))


def test_a_full_disk_of_a_worker_is_named_with_it(tmp_path, exchange, file, monkeypatch):
    parcel = exchange.offer(file, "a")

    class Full:
        def begin(self, path):
            if path.name.endswith(".part"):
                raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(disk, "observer", Full())
    with Line(exchange.stage) as line, pytest.raises(RunError, match=r"^worker .*the disk is full"):
        fetch(line, tmp_path / "stage", parcel)


def test_nothing_but_what_was_offered_is_served_and_only_for_the_token(exchange, file):
    parcel = exchange.offer(file, "a")
    assert status(exchange, f"/files/{parcel.sha}?at=0&size=5") == 200
    assert status(exchange, f"/files/{parcel.sha}?at=0&size=5", "guess") == 403
    assert status(exchange, f"/files/{hashlib.sha256(b'').hexdigest()}?at=0&size=5") == 404
    for path in ("/files/../../etc/passwd?at=0&size=5", "/", "/folds/none", "/events/a.jsonl"):
        assert status(exchange, path) == 404
    assert status(exchange, "/events/..%2Fa.jsonl", method="POST") == 404


def status(exchange, path: str, token: str = "", method: str = "GET") -> int:
    stage = exchange.stage
    call = HTTPConnection(stage.host, stage.port)
    call.request(method, path, headers={TOKEN: token or stage.token})
    try:
        return call.getresponse().status
    finally:
        call.close()


def test_events_and_the_wish_to_stop(tmp_path, exchange):
    with Line(exchange.stage) as line:
        assert not line.events("fold_0_0.jsonl", b'{"kind": "a"}\n', "stop-1")
        (tmp_path / "events/stop-1").touch()
        assert line.events("fold_0_0.jsonl", b'{"kind": "b"}\n', "stop-1")
    assert (tmp_path / "events/fold_0_0.jsonl").read_text().count("kind") == 2


def test_a_command_that_ended_is_known_to_be_gone(exchange, monkeypatch):
    assert alive(exchange.stage) is True
    exchange.close()
    assert alive(exchange.stage) is False
    monkeypatch.setattr(line_module, "PAUSES", (0,))
    with pytest.raises(RunError, match="cannot reach this command at"):
        Line(exchange.stage).ask("GET", "folds", "a")


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
        device={}, files=shas,
    )  # fmt: skip


def test_a_fold_is_published_whole_and_once(tmp_path, exchange, fold, monkeypatch):
    monkeypatch.setattr(line_module, "CHUNK", 30_000)
    (source, done), target = fold, tmp_path / "runs/a/fold_0"
    exchange.expect("f", FoldDesk(target, "d"))
    record = done.model_dump_json().encode()
    with Line(exchange.stage) as line:
        assert line.ask("GET", "folds", "f") == b""
        for name, sha in done.files.items():
            send(line, "f", source / name, sha)
        assert not (target / "done.json").exists()
        line.ask("POST", "folds", "f", body=record)
        assert FoldDone.read(target).whole(target)
        assert not list(target.glob(".*.part"))
        before = (target / "done.json").stat().st_mtime_ns
        for name, sha in done.files.items():  # the same fold from a second worker
            send(line, "f", source / name, sha)
        line.ask("POST", "folds", "f", body=record)
        assert (target / "done.json").stat().st_mtime_ns == before
        assert line.ask("GET", "folds", "f")


def test_a_damaged_fold_is_not_published(tmp_path, exchange, fold):
    (source, done), target = fold, tmp_path / "runs/a/fold_0"
    exchange.expect("f", FoldDesk(target, "d"))
    (source / "model.keras").write_bytes(b"other")
    record = done.model_dump_json().encode()
    with Line(exchange.stage) as line:
        for name, sha in done.files.items():
            send(line, "f", source / name, sha)
        with pytest.raises(RunError, match="arrived with another digest"):
            line.ask("POST", "folds", "f", body=record)
    assert not (target / "model.keras").exists()
    assert not (target / "done.json").exists()


def test_a_record_that_names_other_places_is_refused(tmp_path, exchange, fold):
    _, done = fold
    exchange.expect("f", FoldDesk(tmp_path / "runs/a/fold_0", "d"))
    other = done.model_copy(update={"files": {"../manifest.json": "0" * 64}})
    with Line(exchange.stage) as line, pytest.raises(RunError, match="does not know"):
        line.ask("POST", "folds", "f", body=other.model_dump_json().encode())


def test_chunks_are_bounded(exchange, file):
    parcel = exchange.offer(file, "a")
    size = exchange_module.CHUNK + 1
    assert status(exchange, f"/files/{parcel.sha}?at=0&size={size}") == 404
