"""Options that name a folder to work in: there already, or made when it is needed."""

from pathlib import Path
from typing import Any

import typer

from ensemble_kit.core.places import check_folder


def folder_option(name: str, about: str) -> Any:
    """An option that refuses what is no folder before any work begins."""

    def checked(path: Path) -> Path:
        check_folder(path, name)
        return path

    return typer.Option(name, metavar="DIR", help=about, callback=checked)
