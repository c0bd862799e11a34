"""The small data set and study of the training tests, for the stores they fill."""

from tests.training.conftest import folds, spec, squares, table

__all__ = ["folds", "spec", "squares", "table"]
