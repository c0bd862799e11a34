"""A run folder that is written at once: whole beside its place, then renamed into it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ensemble_kit.core.atomic import alive, write_bytes
from ensemble_kit.core.disk import make_folder
from ensemble_kit.core.errors import RunError
from ensemble_kit.core.places import check_output_folder
from ensemble_kit.runs.manifest import is_run, read_manifest
from ensemble_kit.runs.paths import EDITABLE

MAKING, REPLACED = "making", "replaced"


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A new folder to write a run into; at the end it takes the place of ``folder``.

    What was there stays as it is until then, and for good where an error gets out. Files that a
    person edits are carried over where the images are the same. What a killed process left is
    removed.
    """
    check_output_folder(folder, "--runs-dir")
    folder = folder.resolve() if folder.is_symlink() else folder
    make_folder(folder.parent)
    remove_begun(folder)
    fresh = folder.with_name(f".{folder.name}.{os.getpid()}.{MAKING}")
    try:
        make_folder(fresh)
        yield fresh
        if _same_images(folder, fresh):
            for name in EDITABLE:
                if (folder / name).is_file():
                    write_bytes(fresh / name, (folder / name).read_bytes())
        take_place(fresh, folder)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise


def refuse_trained(folder: Path, by: str) -> None:
    """RunError where trained models would be replaced by figures. by : the command."""
    if is_run(folder) and read_manifest(folder).kind == "cv":
        raise RunError(
            f"run {folder.name!r} holds models that `cv` trained, which `{by}` does not replace: "
            "choose another --name"
        )


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
        for left in folder.parent.glob(f".{folder.name}.*.{kind}"):
            owner = left.name.removesuffix(f".{kind}").rpartition(".")[2]
            if owner.isdecimal() and not alive(int(owner)):
                if kind == REPLACED and not folder.exists():
                    left.rename(folder)
                else:
                    shutil.rmtree(left, ignore_errors=True)


def _same_images(folder: Path, fresh: Path) -> bool:
    try:
        return read_manifest(folder).data_digest == read_manifest(fresh).data_digest
    except RunError:
        return False
