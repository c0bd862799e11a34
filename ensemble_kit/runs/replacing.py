"""A run folder that is written at once: whole beside its place, then renamed into it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ensemble_kit.core.atomic import write_bytes
from ensemble_kit.core.errors import RunError
from ensemble_kit.core.folders import agree, begun
from ensemble_kit.core.places import check_output_folder
from ensemble_kit.runs.manifest import is_run, read_manifest
from ensemble_kit.runs.paths import EDITABLE


@contextmanager
def whole_folder(folder: Path, check: Callable[[], None] = agree) -> Iterator[Path]:
    """A new folder to write a run into; at the end it takes the place of ``folder``: see
    :func:`begun`. Files that a person edits are carried over where the images are the same.
    """
    check_output_folder(folder, "--runs-dir")
    with begun(folder, check) as fresh:
        yield fresh
        if _same_images(folder, fresh):
            for name in EDITABLE:
                if (folder / name).is_file():
                    write_bytes(fresh / name, (folder / name).read_bytes())


def refuse_trained(folder: Path, by: str) -> None:
    """RunError where trained models would be replaced by figures. by : the command."""
    if is_run(folder) and read_manifest(folder).kind == "cv":
        raise RunError(
            f"run {folder.name!r} holds models that `cv` trained, which `{by}` does not replace: "
            "choose another --name"
        )


def _same_images(folder: Path, fresh: Path) -> bool:
    try:
        return read_manifest(folder).data_digest == read_manifest(fresh).data_digest
    except RunError:
        return False
