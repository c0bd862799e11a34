"""Group-safe splits: no patient, lesion or near-duplicate is ever on both sides."""

from ensemble_kit.splits.audit import SplitAudit, audit_split
from ensemble_kit.splits.checking import check_folds
from ensemble_kit.splits.folds_file import read_folds_file
from ensemble_kit.splits.holdout import hold_out_groups
from ensemble_kit.splits.making import make_folds

__all__ = [
    "SplitAudit",
    "audit_split",
    "check_folds",
    "hold_out_groups",
    "make_folds",
    "read_folds_file",
]
