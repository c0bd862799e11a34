"""The one pass over the images that fills every store a study needs."""

import os
import zlib
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from ensemble_kit.core.atomic import write_json
from ensemble_kit.core.disk import writing
from ensemble_kit.core.errors import OutputError
from ensemble_kit.core.json_text import parse_json
from ensemble_kit.models.staged import StagedModel
from ensemble_kit.models.views import view_of
from ensemble_kit.stores.activations import ActivationStore, Part, split_parts
from ensemble_kit.stores.locks import filling_store

BATCH = {"cpu": 16, "gpu": 128}
SYNC_EVERY = 16


@dataclass(frozen=True)
class FillReport:
    """Images × views that went through the network, and that came out of a stored earlier cut."""

    computed: int
    derived: int


def fill_stores(
    staged: StagedModel,
    stores: list[ActivationStore],
    pixels: NDArray[np.uint8],
    views: int,
    *,
    related: list[ActivationStore] | None = None,
    device: str = "cpu",
    on_progress: Callable[[int], None] | None = None,
) -> FillReport:
    """Complete the first ``views`` views of ``stores`` for pixels (n, S, S, 3).

    Batches are the same rows whatever was there before, so a fill that was killed, restarted or
    waited for ends with the same bytes. Processes that need a key do the work once: each takes
    views that no other is at, then waits for the rest. related : complete stores of earlier cuts of
    the same network and pixels, from which later cuts are computed without the pixels.
    """
    batch = BATCH[device]
    computed = derived = 0
    with ExitStack() as held:
        for store in stores:
            held.enter_context(filling_store(store.folder))
        for view in held.enter_context(closing(_each_view(stores, views))):
            wanting = [store for store in stores if not store.ready(view, mend=True)]
            if not wanting:
                continue
            source = _earlier_cut([*stores, *(related or [])], wanting, view)
            fills = [_ViewFill(store, view, batch) for store in wanting]
            first = min(fill.written for fill in fills)
            depths = tuple(store.key.depth for store in wanting)
            if source is None:
                model = staged.outputs_at(depths)
                batches = _pixel_batches(pixels, view, first, batch)
            else:
                model = staged.onward(source.key.depth, depths)
                batches = _stored_batches(source, view, first, batch)
            rows = _pass(model, batches, fills, batch, on_progress)
            computed, derived = (
                (computed + rows, derived) if source is None else (computed, derived + rows)
            )
    return FillReport(computed, derived)


def _each_view(stores: list[ActivationStore], views: int) -> Generator[int, None, None]:
    """Every view once, under its locks: first those that no other process fills."""
    waiting = list(range(views))
    for blocking in (False, True):
        for view in tuple(waiting):
            with ExitStack() as locks:
                try:
                    for store in sorted(stores, key=lambda store: store.key.digest):
                        path = store.folder / f".view_{view}.lock"
                        locks.enter_context(FileLock(path, blocking=blocking))
                except Timeout:
                    continue
                waiting.remove(view)
                yield view


def _earlier_cut(
    stores: list[ActivationStore], wanting: list[ActivationStore], view: int
) -> ActivationStore | None:
    """A complete float32 store of an earlier cut, from which all that is wanting can be computed.

    A float16 one would give other bytes than a pass from pixels, under the same key.
    """
    deepest = max(store.key.depth for store in wanting)
    usable = [
        store
        for store in stores
        if store.key.depth > deepest
        and store.key.dtype == "float32"
        and store not in wanting
        and store.ready(view)
    ]
    return min(usable, key=lambda store: store.key.depth) if usable else None


def _pixel_batches(
    pixels: NDArray[np.uint8], view: int, first: int, batch: int
) -> Iterator[NDArray[Any]]:
    for start in range(first * batch, len(pixels), batch):
        yield view_of(pixels[start : start + batch], view)


def _stored_batches(
    store: ActivationStore, view: int, first: int, batch: int
) -> Iterator[NDArray[Any]]:
    for start in range(first * batch, store.key.rows, batch):
        rows = np.arange(start, min(start + batch, store.key.rows))
        yield store.read_exact(rows) if view == 0 else store.read(rows, np.full(len(rows), view))


def _pass(
    model: Any,
    batches: Iterator[NDArray[Any]],
    fills: list["_ViewFill"],
    batch: int,
    on_progress: Callable[[int], None] | None,
) -> int:
    """Run the batches through the model; write one batch while the next is computed."""
    first = min(fill.written for fill in fills)
    rows = 0
    with ThreadPoolExecutor(1) as writer:
        pending = None
        for number, pixels in enumerate(batches, start=first):
            outputs = model.predict_on_batch(_padded(pixels, batch))
            outputs = outputs if isinstance(outputs, list) else [outputs]
            kept = [np.asarray(output, np.float32)[: len(pixels)] for output in outputs]
            if pending is not None:
                pending.result()
            pending = writer.submit(_write_all, fills, number, kept)
            rows += len(pixels)
            if on_progress is not None:
                on_progress(len(pixels))
        if pending is not None:
            pending.result()
    for fill in fills:
        fill.finish()
    return rows


def _padded(rows: NDArray[Any], batch: int) -> NDArray[Any]:
    """The last, short batch filled up with its first row: one shape for every step."""
    if len(rows) == batch:
        return rows
    return np.concatenate([rows, np.repeat(rows[:1], batch - len(rows), axis=0)])


def _write_all(fills: list["_ViewFill"], number: int, outputs: list[NDArray[np.float32]]) -> None:
    for fill, rows in zip(fills, outputs, strict=True):
        fill.write(number, rows)


class _ViewFill:
    """Writes the batches of one view of one store, in order, and remembers how far it came."""

    def __init__(self, store: ActivationStore, view: int, batch: int) -> None:
        self._store, self._view, self._batch = store, view, batch
        self._sums: dict[Part, list[int]] = {part: [] for part in store.parts(view)}
        self._resume()
        self._files = {
            part: os.open(store.path(view, part), os.O_RDWR | os.O_CREAT, 0o644)
            for part in store.parts(view)
        }

    @property
    def written(self) -> int:
        """Batches that are safely on disk."""
        return min(len(sums) for sums in self._sums.values())

    def _resume(self) -> None:
        """Take over the batches that the journal names and whose bytes still have their sums."""
        try:
            journal = parse_json(self._store.journal_path(self._view).read_text(encoding="utf-8"))
            if journal["batch"] != self._batch:
                return
            for part in self._store.parts(self._view):
                self._sums[part] = self._intact(part, journal["checksums"][part])
        except (OSError, ValueError, KeyError, TypeError):
            self._sums = {part: [] for part in self._store.parts(self._view)}
        for part in self._sums:
            self._sums[part] = self._sums[part][: self.written]

    def _intact(self, part: Part, sums: list[int]) -> list[int]:
        size = self._batch * self._store.key.part_bytes
        found = []
        with self._store.path(self._view, part).open("rb") as file:
            for expected in sums:
                if zlib.crc32(file.read(size)) != expected:
                    break
                found.append(expected)
        return found

    def write(self, number: int, rows: NDArray[np.float32]) -> None:
        if number < self.written:
            return
        try:
            for part, array in split_parts(self._store, self._view, rows).items():
                content = array.tobytes()
                offset = number * self._batch * self._store.key.part_bytes
                with writing(self._store.path(self._view, part), len(content)):
                    _write_fully(self._files[part], content, offset)
                self._sums[part].append(zlib.crc32(content))
            if self.written % SYNC_EVERY == 0:
                self._sync()
        except OutputError:
            self._give_room_back()
            raise

    def _give_room_back(self) -> None:
        """Remove what was begun, where it cannot be gone on with."""
        for part in self._files:
            self._store.path(self._view, part).unlink(missing_ok=True)
        self._store.journal_path(self._view).unlink(missing_ok=True)

    def _sync(self) -> None:
        for handle in self._files.values():
            os.fdatasync(handle)
        state = {"batch": self._batch, "checksums": self._sums}
        write_json(self._store.journal_path(self._view), state)

    def finish(self) -> None:
        """Flush, record checksums and stamps, and declare the view complete."""
        store, view = self._store, self._view
        for handle in self._files.values():
            os.ftruncate(handle, store.key.rows * store.key.part_bytes)
            os.fsync(handle)
            os.close(handle)
        stamps = {part: store.stamp(view, part) for part in store.parts(view)}
        record = {"batch": self._batch, "checksums": self._sums, "stamps": stamps}
        write_json(store.done_path(view), record)
        Path(store.journal_path(view)).unlink(missing_ok=True)


def _write_fully(handle: int, content: bytes, offset: int) -> None:
    view = memoryview(content)
    while view:
        written = os.pwrite(handle, view, offset)
        view, offset = view[written:], offset + written
