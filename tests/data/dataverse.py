"""A small Dataverse on 127.0.0.1, with ranges, and connections that can be made to break."""

import hashlib
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.data.folders import Rows, write_image


@dataclass
class Server:
    """files : name -> contents. breaks : name -> bytes after which its next transfers end early.

    md5 : name -> digest stated instead of the true one. requests : (name, Range header) asked for.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    md5: dict[str, str] = field(default_factory=dict)
    breaks: dict[str, list[int]] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)

    def listing(self) -> dict[str, object]:
        files = [
            {
                "dataFile": {
                    "filename": name,
                    "id": number,
                    "md5": self.md5.get(name, hashlib.md5(content).hexdigest()),
                }
            }
            for number, (name, content) in enumerate(self.files.items())
        ]
        return {"status": "OK", "data": {"latestVersion": {"files": files}}}


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/api/datasets/"):
                self._send(200, json.dumps(server.listing()).encode())
            elif self.path.startswith("/api/access/datafile/"):
                number = int(self.path.partition("?")[0].rsplit("/", 1)[1])
                self._file(*list(server.files.items())[number])
            else:
                self._send(404, b"")

        def _file(self, name: str, content: bytes) -> None:
            wanted = self.headers.get("Range", "")
            server.requests.append((name, wanted))
            start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
            if start and start >= len(content):
                self._send(416, b"")
                return
            waiting = server.breaks.get(name)
            stop = waiting.pop(0) if waiting else None
            self._send(206 if start else 200, content[start:], stop)

        def _send(self, status: int, body: bytes, stop: int | None = None) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[:stop])
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{httpd.server_address[1]}"
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()


def ham10000(folder: Path) -> Server:
    """A publication of nine images in two archives, as Harvard's lists it."""
    rows = Rows().rows
    parts = [io.BytesIO(), io.BytesIO()]
    for half, part in enumerate(parts):
        with zipfile.ZipFile(part, "w") as archive:
            for number, row in enumerate(rows):
                if number % 2 == half:
                    path = folder / f"{row['image_id']}.jpg"
                    write_image(path, number)
                    archive.write(path, f"part/{path.name}" if half else path.name)
            archive.writestr("__MACOSX/._im_1.jpg", b"resource fork")
            archive.writestr("readme.txt", b"not an image")
    lines = ["\t".join(rows[0]), *("\t".join(row.values()) for row in rows)]
    return Server(
        files={
            "HAM10000_images_part_1.zip": parts[0].getvalue(),
            "HAM10000_images_part_2.zip": parts[1].getvalue(),
            "HAM10000_metadata.tab": "\n".join(lines).encode(),
            "HAM10000_segmentations_lesion_tschandl.zip": b"not wanted",
        },
        md5={"HAM10000_metadata.tab": "0" * 32},
    )
