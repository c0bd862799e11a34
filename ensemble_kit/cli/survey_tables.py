"""What `check` prints: a survey and the folds, as tables or as JSON."""

from typing import TYPE_CHECKING

from ensemble_kit.cli.console import print_json, say
from ensemble_kit.progress import tables

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ensemble_kit.core.errors import EnsembleKitError
    from ensemble_kit.core.records import Folds, ImageTable
    from ensemble_kit.data.dataset import DataSet
    from ensemble_kit.data.survey import Survey


def print_reading(read: "DataSet", seen: "Sequence[str]") -> None:
    """What the data set was taken for: columns, then what was supposed, then the warnings."""
    for line in (read.told, *read.notes):
        say(f"read: {line}")
    for line in (*read.warnings, *seen):
        say(f"warning: {line}")


def print_survey(
    layout: str, table: "ImageTable", found: "Survey", no_images: bool = False
) -> None:
    known = f"{found.n_lesions:,} lesions, {found.n_patients:,} patients named"
    sizes = ", ".join(f"{many:,} of {size}" for size, many in list(found.image_sizes.items())[:4])
    more = len(found.image_sizes) - 4
    rest = f" and {more:,} other sizes" if more > 0 else ""
    tables.show(
        tables.facts(
            ("data", str(table.root)),
            ("layout", layout),
            ("images", f"{found.n_images:,}" + (f" ({sizes}{rest})" if sizes else "")),
            ("groups", f"{found.n_groups:,} ({known})"),
            ("images a group", _sizes(found.group_sizes)),
            ("not known", ", ".join(f"{k} {v:,}" for k, v in found.unknown.items())
             or "no metadata"),
            ("unreadable", "not looked at" if no_images else f"{len(found.unreadable):,}"),
            ("files without a row", f"{found.unlisted:,}"),
        )
    )  # fmt: skip
    classes = tables.table("class", "images", "share", "lesions", "groups")
    for item in found.classes:
        share = f"{item.n_images / found.n_images:.1%}"
        images, lesions, groups = (f"{n:,}" for n in (item.n_images, item.n_lesions, item.n_groups))
        classes.add_row(item.name, images, share, lesions, groups)
    tables.show(classes)


def _sizes(group_sizes: dict[int, int]) -> str:
    parts = [f"{n:,}×{size}" for size, n in list(group_sizes.items())[:8]]
    rest = list(group_sizes.items())[8:]
    if rest:
        parts.append(f"{sum(n for _, n in rest):,} larger, up to {rest[-1][0]:,}")
    return ", ".join(parts)


def print_folds(table: "ImageTable", folds: "Folds") -> None:
    from ensemble_kit.splits.making import fold_class_counts

    counts = fold_class_counts(table, folds)
    heads = (f"fold {k}" for k in range(folds.n_folds))
    shown = tables.table("class", *heads, title=f"images held out (seed {folds.seed})")
    for name, row in zip(table.class_names, counts.T.tolist(), strict=True):
        shown.add_row(name, *(f"{number:,}" for number in row))
    shown.add_row("all", *(f"{number:,}" for number in counts.sum(axis=1).tolist()))
    tables.show(shown)


def print_survey_json(
    layout: str,
    table: "ImageTable",
    found: "Survey",
    folds: "Folds | None",
    problem: "EnsembleKitError | None",
    reading: "dict[str, object]",
    seen: "Sequence[str]",
) -> None:
    import dataclasses

    from ensemble_kit.splits.making import fold_class_counts

    document = {"data": table.root, "layout": layout} | dataclasses.asdict(found)
    document["reading"] = reading | {"seen": list(seen)}
    if folds:
        counts = fold_class_counts(table, folds)
        document["folds"] = {
            "seed": folds.seed,
            "digest": folds.digest,
            "counts": dict(zip(table.class_names, counts.T.tolist(), strict=True)),
        }
    document["problem"] = str(problem) if problem else None
    print_json(document)
