"""Progress events of a worker: JSON lines appended to a file, which the parent process polls.

A file works the same for threads, processes and other machines on a shared disk.
"""

import json
import time
from pathlib import Path
from typing import Any

from ensemble_kit.core.disk import make_folder, writing

Event = dict[str, Any]


class EventLog:
    """Appends events to a file; at most one of each kind every ``interval`` seconds if rated."""

    def __init__(self, path: Path) -> None:
        make_folder(path.parent)
        self._path = path
        self._last: dict[str, float] = {}

    def emit(self, kind: str, *, interval: float = 0.0, **facts: Any) -> None:
        now = time.monotonic()
        if interval and now - self._last.get(kind, -interval) < interval:
            return
        self._last[kind] = now
        with writing(self._path), self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"kind": kind} | facts) + "\n")


class EventReader:
    """Reads the events that were appended to any file of a folder since the last look."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._offsets: dict[Path, int] = {}

    def new(self) -> list[Event]:
        events: list[Event] = []
        for path in sorted(self._folder.glob("*.jsonl")):
            with path.open("rb") as file:
                file.seek(self._offsets.get(path, 0))
                chunk = file.read()
            whole = chunk[: chunk.rfind(b"\n") + 1]
            self._offsets[path] = self._offsets.get(path, 0) + len(whole)
            events.extend(json.loads(line) for line in whole.splitlines())
        return events
