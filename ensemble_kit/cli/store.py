"""`store`: what the stores of pixels and activations hold, whether they are sound, their room."""

from pathlib import Path
from typing import Annotated

import typer

from ensemble_kit.cli import options
from ensemble_kit.cli.console import note
from ensemble_kit.cli.panels import PanelledCommand, PanelledGroup

store = typer.Typer(
    cls=PanelledGroup,
    help="Look after the stores of decoded pixels and activations.",
    no_args_is_help=True,
)

GB = 1e9


@store.command("list", cls=PanelledCommand)
def list_(store: options.StoreDir = Path("store"), as_json: options.Json = False) -> None:
    """What is stored, how large it is and when it was last used."""
    from ensemble_kit.cli.store_tables import print_stores
    from ensemble_kit.stores.maintenance import list_stores

    print_stores(store, list_stores(store), as_json=as_json)


@store.command(cls=PanelledCommand)
def verify(
    store: options.StoreDir = Path("store"),
    as_json: options.Json = False,
    no_progress: options.NoProgress = False,
) -> None:
    """Read everything and compare checksums; damaged parts are forgotten and made again when
    needed. Exit code 2 if there were any."""
    from ensemble_kit.cli.store_tables import print_no_stores, print_verified
    from ensemble_kit.core.errors import StoreError, some
    from ensemble_kit.progress.bars import bar
    from ensemble_kit.stores.maintenance import list_stores, verify_stores

    stores = list_stores(store)
    total = sum(stored.n_bytes for stored in stores if stored.state != "foreign")
    with bar("reading stores", total, unit="B", show=not no_progress) as advance:
        found = verify_stores(store, stores, advance)
    if not (stores or found.damaged or as_json):
        print_no_stores(store)
        return
    print_verified(found, as_json=as_json)
    if found.damaged:
        named = [f"{store / path} ({what})" for path, what in found.damaged]
        raise StoreError(
            f"damaged and now forgotten: {some(named)}; the next run that needs them makes them "
            "again"
        )


@store.command(cls=PanelledCommand)
def prune(
    keep_gb: Annotated[
        float | None,
        typer.Option(
            min=0, metavar="GB", help="Remove the least recently used until so much is left.",
            show_default=False,
        ),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Remove every store.")] = False,
    partial: Annotated[
        bool, typer.Option("--partial", help="Remove what was begun and not finished.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be removed, remove nothing.")
    ] = False,
    store: options.StoreDir = Path("store"),
    as_json: options.Json = False,
) -> None:  # fmt: skip
    """Give disk space back. Refused while a run reads them; what is no store is left alone."""
    from ensemble_kit.cli.store_tables import print_pruned
    from ensemble_kit.core.errors import StoreError, some
    from ensemble_kit.stores.locks import removing_stores
    from ensemble_kit.stores.maintenance import Choice, list_stores, prune_stores

    if (keep_gb is not None) + everything + partial != 1:
        raise StoreError("say what to remove: one of --keep-gb GB, --all and --partial")
    choice: Choice | float = "all" if everything else "partial"
    if keep_gb is not None:
        choice = keep_gb * GB
    with removing_stores(store):
        done = prune_stores(store, list_stores(store), choice, dry_run=dry_run)
    print_pruned(done, dry_run=dry_run, as_json=as_json)
    if done.busy:
        note(f"in use by another process, left alone: {some(s.folder for s in done.busy)}")
