"""`doctor`: what is here to work with, and what each command will use of it."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ensemble_kit.cli import options
from ensemble_kit.cli.console import print_json, say
from ensemble_kit.core.wording import size_text


def doctor(
    load: Annotated[
        bool,
        typer.Option("--load", help="Also start the framework to hear which device it finds."),
    ] = False,
    runs_dir: options.RunsDir = Path("runs"),
    store: options.StoreDir = Path("store"),
    as_json: options.Json = False,
) -> None:
    """Versions, processor, GPUs, weights and disk, and what each command will use."""
    from ensemble_kit.core.errors import MachineError, some
    from ensemble_kit.core.version import __version__
    from ensemble_kit.progress import tables
    from ensemble_kit.workflows.doctor import diagnose

    found = diagnose(runs_dir, store, load=load)
    if as_json:
        print_json({"ensemble_kit": __version__} | asdict(found))
    else:
        here = [p for p in found.packages if p.version]
        always = ", ".join(f"{p.name} {p.version}" for p in here if not p.extra)
        extras = ", ".join(f"{p.name} {p.version}" for p in here if p.extra)
        absent = (
            f"{p.name} ({f'ensemble-kit[{p.extra}]' if p.extra else 'always needed'})"
            for p in found.packages
            if not p.version
        )
        tables.show(
            tables.facts(
                ("ensemble_kit", __version__),
                *found.machine.items(),
                ("packages", always or "not known: ensemble-kit is not installed here"),
                ("of extras", extras or "none"),
                ("absent", ", ".join(absent) or "none"),
            )
        )
        disk = (f"{place}: {size_text(free)} free" for place, free in found.disk.items())
        tables.show(
            tables.facts(
                ("weights there", ", ".join(found.weights_there) or "none"),
                ("to be fetched", ", ".join(found.weights_absent) or "none"),
                ("disk", "; ".join(disk)),
            )
        )
        uses = tables.table("command", "uses here", numbers=False, prose=[1])
        for command, what in found.uses.items():
            uses.add_row(command, what)
        tables.show(uses)
    if found.missing:
        raise MachineError(
            f"not installed: {some(found.missing)}; every command may need them: pip install "
            "ensemble-kit"
        )
    if not as_json:
        say("sound: everything that is always needed is installed")
