"""Options that several commands share, with one wording each."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ensemble_kit.study import StudySpec

Data = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="DIR",
        help="Data folder, its CSV, or 'sample' for the built-in set; default: dataset/.",
        show_default=False,
    ),
]
Duplicates = Annotated[
    Path | None,
    typer.Option(
        metavar="CSV",
        help="Pairs of near-duplicate images (two columns of ids) to keep in one group.",
        show_default=False,
    ),
]
Jobs = Annotated[int, typer.Option(min=1, max=256, help="Images decoded at a time, in threads.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Say more; show where an unexpected error arose.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print results and errors only.")]
NoProgress = Annotated[bool, typer.Option("--no-progress", help="Draw no progress bars.")]
StudyFile = Annotated[
    Path | None,
    typer.Option(
        "--study", metavar="FILE.toml", help="Study file; options given beside it override it."
    ),
]
RunsDir = Annotated[Path, typer.Option("--runs-dir", help="Folder of the run folders.")]
StoreDir = Annotated[
    Path, typer.Option("--store", help="Folder of decoded pixels and stored activations.")
]
StoreLimit = Annotated[
    float,
    typer.Option(
        "--store-limit",
        min=0.001,
        metavar="GB",
        help="Most the activations of this study may take.",
    ),
]


def study_of(file: Path | None, changes: "Mapping[str, Mapping[str, Any]]") -> "StudySpec":
    """The study of a file (or the default one) with the options given in place of its values."""
    from ensemble_kit.study import StudySpec, read_study

    return (read_study(file) if file else StudySpec()).override(changes)
