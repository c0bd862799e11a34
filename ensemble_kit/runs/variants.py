"""``variants.json``: the same study trained on parts of the data, or with leaking folds."""

from typing import ClassVar, Literal

from ensemble_kit.core.records import Estimate
from ensemble_kit.runs.paths import VARIANTS
from ensemble_kit.runs.records import Part, Record

Kind = Literal["fraction", "by image"]


class VariantLine(Part):
    """One variant. kind "fraction": trained on that share of each fold's training groups; "by
    image": folds that part groups. n_groups, n_images : of a training part, mean over the folds.
    figures : metric -> estimate. minus_run : variant minus the run, in pairs; empty for the run."""

    kind: Kind
    share: float
    n_groups: float
    n_images: float
    figures: dict[str, Estimate]
    minus_run: dict[str, Estimate]


class VariantsRecord(Record):
    """The contents of ``variants.json``; the run itself is the line with share 1."""

    FILE: ClassVar[str] = VARIANTS
    REMEDY: ClassVar[str] = "give `cv` with --fractions or --leak-audit again"

    format_version: int = 1
    lines: tuple[VariantLine, ...]

    def fractions(self) -> tuple[VariantLine, ...]:
        return tuple(line for line in self.lines if line.kind == "fraction")

    def leak(self) -> VariantLine | None:
        return next((line for line in self.lines if line.kind == "by image"), None)
