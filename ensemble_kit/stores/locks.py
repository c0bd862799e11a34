"""Shared/exclusive lock on the store folder: readers versus prune."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from ensemble_kit.core.disk import make_folder, writing
from ensemble_kit.core.errors import StoreError
from ensemble_kit.core.places import check_output_folder
from ensemble_kit.core.turns import hold

MARK, LOCK = ".in-use", "lock"


@contextmanager
def reading_stores(store_dir: Path) -> Iterator[None]:
    """Keep every store of ``store_dir`` from being pruned; any number of processes at a time."""
    check_output_folder(store_dir, "--store")
    make_folder(store_dir)
    with _mark(store_dir) as mark:
        hold(mark.fileno(), shared=True)
        yield


@contextmanager
def filling_store(folder: Path) -> Iterator[None]:
    """Keep a store from being mended or removed (whoever does holds ``lock`` alone); any number of
    processes at a time."""
    with writing(folder / LOCK), (folder / LOCK).open("a") as file:
        hold(file.fileno(), shared=True)
        yield


@contextmanager
def removing_stores(store_dir: Path) -> Iterator[None]:
    """Hold the stores of ``store_dir`` for removal; StoreError while a run reads them."""
    if not (store_dir / MARK).is_file():
        yield
        return
    with _mark(store_dir) as mark:
        try:
            hold(mark.fileno(), wait=False)
        except BlockingIOError:
            raise StoreError(
                f"a run is reading the stores of {store_dir}; prune when it has finished"
            ) from None
        yield


def _mark(store_dir: Path) -> TextIO:
    with writing(store_dir / MARK):
        return (store_dir / MARK).open("a")
