"""What `check --run` prints: doubted labels and near-duplicates, as tables or as JSON."""

from typing import TYPE_CHECKING

from ensemble_kit.cli.console import print_json, say
from ensemble_kit.progress import tables

if TYPE_CHECKING:
    from ensemble_kit.workflows.issues import Found

SHOWN = 10


def print_issues(found: "Found") -> None:
    from ensemble_kit.core.errors import count

    labels, n = found.labels, len(found.run.table)
    if labels:
        shown = tables.table(
            "image", "given", "suggested", "P(wrong)", title="labels to look at", numbers=False
        )
        for issue in labels[:SHOWN]:
            shown.add_row(issue.image, issue.given, issue.suggested, f"{issue.suspicion:.2f}")
        tables.show(shown)
        if len(labels) > SHOWN:
            say(f"and {len(labels) - SHOWN:,} more")
    say(
        f"{count(len(labels), 'label')} of {n:,} likely wrong; share of wrong labels that fits "
        f"best {found.rate:.2%}; confident learning counts {found.off_diagonal:,} images as "
        "another class"
    )
    if found.pairs:
        shown = tables.table(
            "image", "other", "points in place", "detail alike", "features alike", numbers=False,
            title="images of different groups that look alike",
        )  # fmt: skip
        for pair in found.pairs[:SHOWN]:
            agree, detail = (f"{pair.points}", f"{pair.detail:.2f}") if pair.points else ("–", "–")
            shown.add_row(pair.first, pair.second, agree, detail, f"{pair.likeness:.3f}")
        tables.show(shown)
        if len(found.pairs) > SHOWN:
            say(f"and {len(found.pairs) - SHOWN:,} more")
    for note in found.notes:
        say(note)
    say(f"written: {found.issues_file} and {found.pairs_file} (for --duplicates)")


def print_issues_json(found: "Found") -> None:
    import dataclasses

    document = {
        "run": found.run.name,
        "noise_rate": found.rate,
        "off_diagonal": found.off_diagonal,
        "issues": [dataclasses.asdict(issue) for issue in found.issues],
        "pairs": [dataclasses.asdict(pair) for pair in found.pairs],
        "notes": list(found.notes),
    }
    print_json(document)
