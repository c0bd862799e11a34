"""What `--costs` prints: ways to choose actions with their costs, then the actions by class."""

from ensemble_kit.cli.console import say
from ensemble_kit.core.wording import in_words
from ensemble_kit.progress import tables
from ensemble_kit.runs.costs import CostsRecord


def print_costs(found: CostsRecord) -> None:
    shown = tables.table(
        "actions", "cost", "more than least expected", "referred", title="cost an image"
    )
    for line in found.policies:
        more = "" if line.minus_decided is None else in_words(line.minus_decided, sign="+")
        away = "" if line.referred is None else in_words(line.referred)
        shown.add_row(line.name, in_words(line.cost), more, away)
    tables.show(shown)
    if found.kept is not None:
        say(f"cost of an image that is not referred: {in_words(found.kept)}")
    classes = tables.table("class", *found.actions, "cost an image")
    for row in found.by_class:
        counts = (f"{row.taken[action]:,}" for action in found.actions)
        classes.add_row(row.name, *counts, in_words(row.cost))
    tables.show(classes)
    say(found.fitted)
