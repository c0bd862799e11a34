"""Folders that are made at once: whole beside their place, then renamed into it."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from socket import gethostname

from ensemble_kit.core.atomic import alive
from ensemble_kit.core.disk import make_folder, parents_of
from ensemble_kit.core.turns import turn_in

MAKING, REPLACED = "making", "replaced"


def agree() -> None:
    """Nothing speaks against it."""


@contextmanager
def begun(folder: Path, check: Callable[[], None] = agree) -> Iterator[Path]:
    """A new folder to fill; at the end it takes the place of ``folder``.

    What was there stays as it is until then, and for good where an error gets out. What a killed
    process left is removed. check : asked once more at the end, while no other process replaces
    anything there; it raises where ``folder``, which may have come meanwhile, must stay.
    """
    folder = folder.resolve() if folder.is_symlink() else folder
    fresh = folder.with_name(f".{folder.name}.{os.getpid()}.{MAKING}")
    with parents_of(folder):
        remove_begun(folder)
        try:
            make_folder(fresh)
            yield fresh
            with turn_in(folder.parent):
                check()
                take_place(fresh, folder)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise


def take_place(fresh: Path, folder: Path) -> None:
    """Put a finished folder where another may be."""
    old = folder.with_name(f".{folder.name}.{os.getpid()}.{REPLACED}")
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def remove_begun(folder: Path) -> None:
    """Remove folders that processes which are no more had begun in place of ``folder``; one that
    was moved away and not yet replaced is put back."""
    for kind in (MAKING, REPLACED):
        for left in folder.parent.glob(f".{escape(folder.name)}.*.{kind}"):
            owner = left.name.removesuffix(f".{kind}").rpartition(".")[2]
            if owner.isdecimal() and not alive(int(owner)):
                if kind == REPLACED and not folder.exists():
                    left.rename(folder)
                else:
                    shutil.rmtree(left, ignore_errors=True)


def named_by_process(name: str) -> str:
    """The name with this machine's and this process's, for :func:`remove_those_of_the_dead`."""
    return f"{name}-{gethostname()}-{os.getpid()}"


def remove_those_of_the_dead(folder: Path) -> None:
    """Remove the folders beside ``folder``, named by process like it, whose process is no more."""
    mine = folder.name.removesuffix(str(os.getpid()))
    if not mine.endswith(f"-{gethostname()}-"):
        return
    for left in folder.parent.glob(f"{escape(mine)}*"):
        owner = left.name.removeprefix(mine)
        if owner.isdecimal() and left.is_dir() and not alive(int(owner)):
            shutil.rmtree(left, ignore_errors=True)
