"""Shared/exclusive lock on the store folder: readers versus prune."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ensemble_kit.core.errors import StoreError

MARK = ".in-use"


@contextmanager
def reading_stores(store_dir: Path) -> Iterator[None]:
    """Keep every store of ``store_dir`` from being pruned; any number of processes at a time."""
    store_dir.mkdir(parents=True, exist_ok=True)
    with (store_dir / MARK).open("a") as mark:
        fcntl.flock(mark, fcntl.LOCK_SH)
        yield


@contextmanager
def removing_stores(store_dir: Path) -> Iterator[None]:
    """Hold the stores of ``store_dir`` for removal; StoreError while a run reads them."""
    if not store_dir.is_dir():
        yield
        return
    with (store_dir / MARK).open("a") as mark:
        try:
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreError(
                f"a run is reading the stores of {store_dir}; prune when it has finished"
            ) from None
        yield
