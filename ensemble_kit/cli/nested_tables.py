"""What `ensemble --nested-members` prints."""

from ensemble_kit.cli.console import say
from ensemble_kit.core.wording import in_words, value_words
from ensemble_kit.metrics.registry import label_of
from ensemble_kit.progress import tables
from ensemble_kit.runs.nested_members import NestedMembersRecord

SHOWN = ("log_loss", "ece", "accuracy", "balanced_accuracy", "roc_auc_ovr")


def print_nested(found: NestedMembersRecord) -> None:
    """Both chains with ordinary and nested members; then each member's wider interval."""
    for line in found.lines:
        shown = tables.table(
            "", "as ensembled", "nested members", "nested minus as ensembled",
            title=f"{line.name}: members fitted anew without the fold being judged",
        )  # fmt: skip
        for metric in SHOWN:
            if metric not in line.nested:
                continue
            shown.add_row(
                label_of(metric),
                value_words(line.ordinary[metric], 4, none="-"),
                value_words(line.nested[metric], 4, none="-"),
                in_words(line.minus_ordinary[metric], 4, sign="+", none="-"),
            )
        tables.show(shown)
    members = tables.table(
        "", "log loss, models held fixed", "log loss, counting training anew",
        "accuracy, models held fixed", "accuracy, counting training anew",
        title="members with intervals of nested cross-validation",
    )  # fmt: skip
    for member in found.members:
        cells = [
            in_words(of[figure], none="-")
            for figure in ("log_loss", "accuracy")
            for of in (member.fixed, member.anew)
        ]
        members.add_row(member.name, *cells)
    tables.show(members)
    fits = sum(member.fits for member in found.members)
    say(f"{fits} models were fitted anew, one for each two folds of each member.")
