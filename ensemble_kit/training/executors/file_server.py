"""Files of a command for workers that see none of its folders: served and taken by digest.

A small HTTP server that lives as long as the command, at the address by which this machine reaches
the cluster. It lets in whoever has the command's token, serves the files that were offered and no
other, and takes the files of the folds that were handed out.
"""

import hmac
import json
import re
import secrets
import socket
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

from ensemble_kit.core.atomic import sha256_of_file
from ensemble_kit.core.errors import EnsembleKitError
from ensemble_kit.training.executors.file_client import CHUNK, TOKEN, ServedFile, Stage

QUIET_SECONDS = 600
"""A connection on which nothing was said for so long is closed."""
HERE = "127.0.0.1"


class Receiver(Protocol):
    """Where the files of one fold are taken."""

    def finished(self) -> bytes | None:
        """The record of the fold, if it is finished."""
        ...

    def held(self, sha: str) -> int:
        """Bytes there are of a file."""
        ...

    def take(self, sha: str, at: int, content: bytes) -> int:
        """Append to a file if it has ``at`` bytes; the bytes there are then."""
        ...

    def publish(self, record: bytes) -> None:
        """Put the files of a record in place and the record last, unless the fold is finished."""
        ...


class FileServer:
    """The server of one command.

    near : (host, port) that this machine reaches the cluster by, None where it is this machine.
    events : folder to which workers' events are appended. folder : of files, on the workers.
    """

    def __init__(self, near: tuple[str, int] | None, events: Path, folder: str) -> None:
        self._events, self._lock = events, threading.Lock()
        self._files: dict[str, Path] = {}
        self._known: dict[tuple[Path, int, int], str] = {}
        self._receivers: dict[str, Receiver] = {}
        host, family = _host_towards(near)
        self._server = _Server(self, host, family)
        port = int(self._server.server_address[1])
        self.stage = Stage(host, port, secrets.token_urlsafe(32), folder)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def offer(self, path: Path, place: str) -> ServedFile:
        """Serve a file. place : where it goes in a worker's folder."""
        found = path.stat()
        key = path, found.st_size, found.st_mtime_ns
        if key not in self._known:
            self._known[key] = sha256_of_file(path)
        self._files[self._known[key]] = path
        return ServedFile(self._known[key], found.st_size, found.st_mtime_ns, place)

    def expect(self, name: str, receiver: Receiver) -> None:
        """Take the files of a fold."""
        self._receivers[name] = receiver

    def answer(self, handler: "_Handler", method: str, kind: str, names: list[str]) -> None:
        """One request; KeyError, ValueError for what is not served."""
        match method, kind, names:
            case "GET", "files", [sha]:
                handler.send_part(self._files[sha])
            case "POST", "events", [name]:
                self._append(name, handler.content())
                handler.send_json({"stop": self._asked_to_stop(handler.asked("stop"))})
            case "GET", "folds", [name]:
                record = self._receivers[name].finished()
                handler.send_bytes(record or b"")
            case "GET", "folds", [name, sha]:
                handler.send_json({"held": self._receivers[name].held(_digest(sha))})
            case "PUT", "folds", [name, sha]:
                at, receiver = int(handler.asked("at")), self._receivers[name]
                handler.send_json({"held": receiver.take(_digest(sha), at, handler.content())})
            case "POST", "folds", [name]:
                self._receivers[name].publish(handler.content())
                handler.send_bytes(b"")
            case _:
                raise KeyError(kind)

    def _append(self, name: str, lines: bytes) -> None:
        """Events of a worker, as if it had written them here itself."""
        if not re.fullmatch(r"[\w-]+\.jsonl", name):
            raise KeyError(name)
        if lines:
            with self._lock, (self._events / name).open("ab") as file:
                file.write(lines)

    def _asked_to_stop(self, name: str) -> bool:
        return bool(re.fullmatch(r"[\w-]+", name)) and (self._events / name).exists()


class _Server(ThreadingHTTPServer):
    daemon_threads, block_on_close, request_queue_size = True, False, 128

    def __init__(self, files: FileServer, host: str, family: socket.AddressFamily) -> None:
        self.files, self.address_family = files, family
        super().__init__((host, 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that broke: whoever asked asks again."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version, timeout = "HTTP/1.1", QUIET_SECONDS
    server: _Server

    def do_GET(self) -> None:
        self._answer("GET")

    def do_PUT(self) -> None:
        self._answer("PUT")

    def do_POST(self) -> None:
        self._answer("POST")

    def log_message(self, *words: Any) -> None:
        """Nothing: the command's own messages are its edge's."""

    def asked(self, name: str) -> str:
        return parse_qs(urlsplit(self.path).query).get(name, [""])[0]

    def content(self) -> bytes:
        size = int(self.headers.get("Content-Length", 0))
        if not 0 <= size <= CHUNK:
            raise ValueError(size)
        self._read = True
        return self.rfile.read(size)

    def send_json(self, values: dict[str, Any]) -> None:
        self.send_bytes(json.dumps(values).encode())

    def send_bytes(self, content: bytes, status: HTTPStatus = HTTPStatus.OK) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        if status != HTTPStatus.OK and not self._read:
            self.close_connection = True  # what was sent along was not read
        self.end_headers()
        self.wfile.write(content)

    def send_part(self, path: Path) -> None:
        """``size`` bytes from ``at``, never more than a chunk."""
        at, size = int(self.asked("at")), int(self.asked("size"))
        if at < 0 or not 0 <= size <= CHUNK:
            raise ValueError(size)
        with path.open("rb") as file:
            file.seek(at)
            self.send_bytes(file.read(size))

    def _answer(self, method: str) -> None:
        self._read = method == "GET"
        files = self.server.files
        if not hmac.compare_digest(self.headers.get(TOKEN, ""), files.stage.token):
            self.send_bytes(b"", HTTPStatus.FORBIDDEN)
            return
        kind, *names = urlsplit(self.path).path.strip("/").split("/")
        try:
            files.answer(self, method, kind, names)
        except (KeyError, ValueError):
            self.send_bytes(b"", HTTPStatus.NOT_FOUND)
        except (EnsembleKitError, FileNotFoundError) as error:
            self.send_bytes(str(error).encode(), HTTPStatus.CONFLICT)


def _digest(text: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise KeyError(text)
    return text


def _host_towards(near: tuple[str, int] | None) -> tuple[str, socket.AddressFamily]:
    """The address that this machine has for whoever reaches it from there."""
    if near is None:
        return HERE, socket.AF_INET
    with socket.create_connection(near, timeout=5) as asked:
        return str(asked.getsockname()[0]), socket.AddressFamily(asked.family)
