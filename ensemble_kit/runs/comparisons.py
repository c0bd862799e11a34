"""``comparison.json``: paired differences and tests of several sets of predictions."""

from typing import ClassVar, Self

from ensemble_kit.metrics.compare import Difference
from ensemble_kit.metrics.comparison import Comparison, PairTests
from ensemble_kit.runs.paths import COMPARISON
from ensemble_kit.runs.records import Record


class ComparisonRecord(Record):
    """The contents of ``comparison.json``. family : tests that Holm's correction is over."""

    FILE: ClassVar[str] = COMPARISON
    REMEDY: ClassVar[str] = "give `evaluate` again"

    format_version: int = 1
    family: int
    differences: tuple[Difference, ...]
    tests: tuple[PairTests, ...]

    @classmethod
    def of(cls, found: Comparison) -> Self:
        return cls(family=found.family, differences=found.differences, tests=found.tests)

    @property
    def comparison(self) -> Comparison:
        return Comparison(self.differences, self.tests)
