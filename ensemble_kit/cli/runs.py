"""`runs`: which runs there are, what one holds, removing some."""

from pathlib import Path
from typing import Annotated

import typer

from ensemble_kit.cli import options
from ensemble_kit.cli.console import say
from ensemble_kit.cli.panels import PanelledCommand, PanelledGroup

runs = typer.Typer(
    cls=PanelledGroup, help="List, show and remove run folders.", invoke_without_command=True
)

Names = Annotated[list[str], typer.Argument(metavar="NAME…", help="Names of runs.")]


@runs.callback()
def list_(
    context: typer.Context, runs_dir: options.RunsDir = Path("runs"), as_json: options.Json = False
) -> None:
    """Without a further word: every run with its headline figures, age and size."""
    if context.invoked_subcommand is not None:
        return
    from ensemble_kit.cli.run_tables import print_runs
    from ensemble_kit.workflows.run_listing import list_runs

    print_runs(runs_dir, list_runs(runs_dir), as_json=as_json)


@runs.command(cls=PanelledCommand)
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name or folder of a run.")],
    runs_dir: options.RunsDir = Path("runs"),
    as_json: options.Json = False,
) -> None:
    """One run: what made it, its figures, warnings and files."""
    from ensemble_kit.cli.run_tables import print_run
    from ensemble_kit.runs.folder import find_run
    from ensemble_kit.workflows.run_listing import describe_run

    print_run(describe_run(find_run(name, runs_dir)), as_json=as_json)


@runs.command(cls=PanelledCommand)
def rm(
    names: Names,
    runs_dir: options.RunsDir = Path("runs"),
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove runs with all that is in their folders; stores are left."""
    from ensemble_kit.core.errors import RunError, some
    from ensemble_kit.workflows.run_listing import remove_runs

    if not yes:
        import sys

        if sys.stdin is None or not sys.stdin.isatty():
            raise RunError(f"to remove {some(names)} without being asked, give --yes")
        if not typer.confirm(f"Remove {some(names)} for good?"):
            return
    for folder in remove_runs(runs_dir, names):
        say(f"removed: {folder}")
