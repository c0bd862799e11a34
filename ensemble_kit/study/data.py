"""How data is read and how it is split: two sections of the study."""

from pydantic import Field

from ensemble_kit.core.broken_rules import Settings


class Section(Settings):
    """A part of a study."""


class DataSpec(Section):
    path: str = Field("", description="data folder, or 'sample' for the built-in set")
    duplicates: str = Field(
        "", description="CSV with pairs of near-duplicate images to keep together"
    )
    columns: dict[str, str] = Field(
        {}, description="role (image, label, patient, lesion, group, age, sex, site) = column"
    )
    group_pattern: str = Field(
        "", description="regular expression; what it captures in a file's name is its group"
    )
    label_level: int = Field(
        0, ge=0, le=9, description="which of diagnosis_1, diagnosis_2 …; 0: the finest there"
    )
    map_labels: str = Field("", description="table (from, to, drop) that renames or drops labels")
    min_groups: str = Field(
        "", description="N=merge:NAME or N=drop for classes with fewer than N groups"
    )
    vocabulary: str = Field(
        "", description="TOML with full names and malignant classes; default: dermatology's"
    )
    features: str = Field(
        "", description="npz, parquet or CSV of features made elsewhere, where inputs = 'features'"
    )


class SplitSpec(Section):
    folds: int = Field(5, ge=2, le=100, description="number of folds")
    repeats: int = Field(1, ge=1, le=100, description="times the folds are redrawn")
    seed: int = Field(
        0, ge=0, le=2**31 - 1, description="seed of the first draw and of the training"
    )
    folds_file: str = Field("", description="CSV (image, fold) with folds made elsewhere")
