"""`backbones`: every architecture, what it is like and how fast it is here."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ensemble_kit.cli import options
from ensemble_kit.cli.console import print_json, say
from ensemble_kit.progress import tables


def backbones(
    store: options.StoreDir = Path("store"),
    as_json: options.Json = False,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]…", help="Only these; a base of your own too."),
    ] = None,
) -> None:
    """List architectures: parameters, blocks, features, speed on this machine, weights there."""
    from ensemble_kit.models import NAMES, find_backbone
    from ensemble_kit.models.weights import fetched
    from ensemble_kit.training.speeds import forward_rates

    listed: list[dict[str, Any]] = []
    unrecorded: list[str] = []
    for name in names or NAMES:
        backbone = find_backbone(name)
        if not names and backbone.shapes is not None:
            unrecorded.append(name)
            continue
        facts = backbone.facts
        weights = "none"
        if backbone.own is not None:
            weights = "its own"
        elif facts.weights_file:
            weights = "there" if fetched(backbone) else "to fetch"
        listed.append(
            {
                "name": name, "parameters": facts.parameters, "smallest": facts.min_size,
                "features": facts.features, "blocks": [cut.block for cut in facts.cuts],
                "images_per_second": forward_rates(store, name), "weights": weights,
            }
        )  # fmt: skip
    if as_json:
        print_json({"backbones": listed, "unrecorded": unrecorded})
        return
    drawn = tables.table("backbone", "million parameters", "px from", "features", "blocks",
                         "images/s here", "weights")  # fmt: skip
    for facts_of in listed:
        rates = facts_of["images_per_second"]
        told = ", ".join(f"{rate:.3g} at {size} px" for size, rate in list(rates.items())[:1])
        drawn.add_row(
            facts_of["name"], f"{facts_of['parameters'] / 1e6:.3g}", str(facts_of["smallest"]),
            f"{facts_of['features']:,}", str(len(facts_of["blocks"])), told or "not measured",
            facts_of["weights"],
        )  # fmt: skip
    tables.show(drawn)
    if unrecorded:
        say(f"also {', '.join(unrecorded)}: name one to have its graph built and looked at")
    say("own bases: --backbone path/to/base.keras or package.module:function (docs/backbones.md)")
