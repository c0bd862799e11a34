"""Taking the images out of downloaded archives, trusting nothing about them."""

import os
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from ensemble_kit.core.disk import writing
from ensemble_kit.core.errors import DataError, some
from ensemble_kit.data.images import EXTENSIONS

MAX_IMAGE_BYTES = 64 << 20
MAX_TOTAL_BYTES = 32 << 30
BLOCK = 1 << 20


def image_members(archive: Path) -> list[zipfile.ZipInfo]:
    """The images of a zip archive, checked before anything is written.

    Raises DataError for a damaged archive, a path that leaves the folder, a link, two images of
    one name, and sizes no such archive has.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [item for item in opened.infolist() if not item.is_dir()]
    except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
        raise DataError(
            f"{archive}: not a readable zip archive ({error}); delete it, fetch again"
        ) from None
    unsafe = [repr(item.filename) for item in members if _is_unsafe(item)]
    if unsafe:
        raise DataError(
            f"{archive}: refused, {some(unsafe)} would leave the folder or is a link; "
            "this is not the published archive: delete it"
        )
    images = [item for item in members if _is_image(item.filename)]
    huge = [item.filename for item in images if item.file_size > MAX_IMAGE_BYTES]
    if huge or sum(item.file_size for item in images) > MAX_TOTAL_BYTES:
        what = some(huge) if huge else "its contents"
        raise DataError(
            f"{archive}: refused, {what} would unpack to an implausible size; delete it"
        )
    names = [_base(item.filename) for item in images]
    twice = (
        sorted({name for name in names if names.count(name) > 1})
        if len(set(names)) < len(names)
        else []
    )
    if twice:
        raise DataError(f"{archive}: refused, {some(twice)} in it more than once; delete it")
    return images


def unpack_images(
    archive: Path, members: list[zipfile.ZipInfo], folder: Path, tell: Callable[[int], None]
) -> None:
    """Write each image under its bare name into ``folder``; one that is there whole is left.

    ``tell`` is called with 1 an image. A member whose bytes are not what the archive's directory
    promised is a DataError.
    """
    with zipfile.ZipFile(archive) as opened:
        for member in members:
            target = folder / _base(member.filename)
            if not (target.is_file() and target.stat().st_size == member.file_size):
                _write(opened, member, target, archive)
            tell(1)


def _write(opened: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, archive: Path) -> None:
    temporary = target.with_name(f".{target.name}.part")
    written = 0
    try:
        with writing(target), opened.open(member) as source, temporary.open("wb") as file:
            while block := source.read(BLOCK):
                written += len(block)
                if written > member.file_size:
                    raise zipfile.BadZipFile("more bytes than announced")
                file.write(block)
        temporary.replace(target)
    except (zipfile.BadZipFile, EOFError, RuntimeError, NotImplementedError) as error:
        temporary.unlink(missing_ok=True)
        raise DataError(
            f"{archive}: {member.filename} is damaged ({error}); delete the archive, fetch again"
        ) from None
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _base(name: str) -> str:
    return PurePosixPath(name).name


def _is_image(name: str) -> bool:
    base = _base(name)
    return os.path.splitext(base)[1].lower() in EXTENSIONS and not base.startswith(".")  # noqa: PTH122


def _is_unsafe(item: zipfile.ZipInfo) -> bool:
    name = item.orig_filename
    parts = PurePosixPath(name.replace("\\", "/")).parts
    absolute = name.startswith(("/", "\\")) or ":" in (parts[0] if parts else "")
    link = stat.S_ISLNK(item.external_attr >> 16)
    return absolute or ".." in parts or "\0" in name or link
