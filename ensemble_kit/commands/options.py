"""Options that several commands share, with one wording each."""

from pathlib import Path
from typing import Annotated

import typer

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
