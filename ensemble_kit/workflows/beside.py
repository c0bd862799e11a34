"""What new images are predicted from beside their pixels: features and metadata, by image id."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Union

import numpy as np
from numpy.typing import NDArray

from ensemble_kit.core.digests import digest_of
from ensemble_kit.core.errors import DataError, count, some
from ensemble_kit.core.records import Strings
from ensemble_kit.data.features import FeatureTable, columns_of, read_features, rows_of
from ensemble_kit.data.new_images import Given, NewImage, find_new_images
from ensemble_kit.data.new_metadata import GivenMetadata, NewMetadata, read_new_metadata
from ensemble_kit.models.fold_ensemble import FoldOutputs
from ensemble_kit.training.probe import shifted
from ensemble_kit.training.table_member import TableInputs
from ensemble_kit.workflows.shipped import Shipped
from ensemble_kit.workflows.shipped_members import Member

if TYPE_CHECKING:
    import pandas as pd
GivenFeatures = Union[
    Path, str, "pd.DataFrame", Mapping[str, Union[Path, str, "pd.DataFrame"]],
    Sequence[Path | str], None,
]  # fmt: skip
"""One file or DataFrame; of an ensemble also member -> file, or texts ``MEMBER=FILE``."""


@dataclass(frozen=True, eq=False)
class Beside:
    """features : member -> its table, columns as its models take them. metadata : None where none
    was given. notes : what was taken for missing, in sentences."""

    features: Mapping[str, FeatureTable] = field(default_factory=dict)
    metadata: NewMetadata | None = None
    notes: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        tables = sorted((name, table.digest) for name, table in self.features.items())
        return digest_of(tables, self.metadata.digest if self.metadata else "")

    def columns(self, member: Member, image_ids: Sequence[str]) -> dict[str, Strings]:
        """Metadata columns of a member, name -> (m,) str, ``""`` where missing."""
        if self.metadata is None:
            return {name: np.full(len(image_ids), "", np.str_) for name in member.metadata}
        return self.metadata.columns(member.metadata, image_ids)


def what_to_predict(
    shipped: Shipped, images: Given | None, features: GivenFeatures,
    metadata: GivenMetadata | None,
) -> tuple[list[NewImage], Beside]:  # fmt: skip
    """The images to predict and what is known of them beside their pixels.

    Without images they are the rows of the features, else of the metadata. Raises DataError where
    something that a member sees is missing.
    """
    tables = _features(shipped, features)
    table = None if metadata is None else read_new_metadata(metadata)
    seers = [m.name for m in shipped.members if m.sees_images]
    if images is None and seers:
        raise DataError(f"{some(seers)} sees images: name image files, or a folder with --data DIR")
    if images is not None:
        found = find_new_images(images)
    elif tables:
        found = [NewImage(str(name)) for name in next(iter(tables.values())).image_ids]
    elif table is not None:
        found = [NewImage(str(name)) for name in table.image_ids]
    else:
        found = []
    return found, beside(shipped, tables, table, [image.image_id for image in found])


def beside_of(
    shipped: Shipped, features: GivenFeatures, metadata: GivenMetadata | None,
    image_ids: Sequence[str],
) -> Beside:  # fmt: skip
    """The same for images that are known."""
    table = None if metadata is None else read_new_metadata(metadata)
    return beside(shipped, _features(shipped, features), table, image_ids)


def beside(
    shipped: Shipped, tables: Mapping[str, FeatureTable], metadata: NewMetadata | None,
    image_ids: Sequence[str],
) -> Beside:  # fmt: skip
    """Check that every image has what each member sees."""
    for name, table in tables.items():
        rows_of(table, image_ids, f"the features of {name}")
    asked = tuple(dict.fromkeys(name for m in shipped.members for name in m.metadata))
    if metadata is None:
        blind = [m.name for m in shipped.members if m.spec.inputs == "metadata"]
        if blind:
            raise DataError(
                f"{some(blind)} sees metadata ({some(asked)}): give it with --metadata TABLE, a "
                "row an image"
            )
        said = f"no metadata given: {some(asked)} taken as missing" if asked else ""
        return Beside(tables, None, (said,) if said else ())
    if not asked:
        raise DataError(f"run {shipped.run.name!r} sees no metadata: leave --metadata out")
    _check_columns(metadata, asked)
    without = metadata.without_row(image_ids)
    if len(without) == len(image_ids):
        raise DataError(
            f"{metadata.source}: no row for any image ({some(without, 3)}): ids are file names "
            "without their ending; give a table of these images"
        )
    alone = [m.name for m in shipped.members if m.spec.inputs == "metadata"]
    if without and alone:
        raise DataError(
            f"{metadata.source}: no row for {some(without)}, and {some(alone)} sees nothing else: "
            "add the rows, or leave the images out"
        )
    told = []
    if without:
        told.append(
            f"{metadata.source}: no row for {count(len(without), 'image')} ({some(without, 3)}): "
            "metadata taken as missing"
        )
    return Beside(tables, metadata, (*told, *_unseen(shipped, metadata, image_ids)))


def outputs_of_member(
    member: Member, image_ids: Sequence[str], pixels: NDArray[np.uint8] | None, given: Beside,
    batch: int, *, fill: bool,
) -> FoldOutputs:  # fmt: skip
    """A member's fold models on some images. pixels : (B, S, S, 3) where it sees images."""
    columns = given.columns(member, image_ids)
    if member.sees_images:
        assert pixels is not None
        found = member.ensemble.predict(pixels, member.views, batch, fill=fill)
        if not member.metadata_heads:
            return found
        p = [
            shifted(of_fold, head.shift(columns))
            for head, of_fold in zip(member.metadata_heads, found.probabilities, strict=True)
        ]
        return FoldOutputs(np.stack(p), found.features)
    x = None
    if member.spec.inputs == "features":
        x = rows_of(given.features[member.name], image_ids, f"the features of {member.name}")
    rows = np.arange(len(image_ids))
    inputs = TableInputs(x, columns)
    p = [model.probabilities(inputs, rows) for model in member.tables]
    none = np.empty((len(rows), 0), np.float32)
    compared = [none if x is None else model.compared(x) for model in member.tables]
    return FoldOutputs(np.stack(p), np.stack(compared))


def _features(shipped: Shipped, given: GivenFeatures) -> dict[str, FeatureTable]:
    """The table of each member that sees features."""
    wanted = [m for m in shipped.members if m.spec.inputs == "features"]
    if given is None or (isinstance(given, (list, tuple)) and not given):
        if wanted:
            raise DataError(
                f"{some(m.name for m in wanted)} sees features made elsewhere: give them with "
                "--features FILE, a row an image"
            )
        return {}
    if not wanted:
        raise DataError(f"run {shipped.run.name!r} sees no features: leave --features out")
    named, common = _by_member([m.name for m in wanted], given)
    found = {}
    for member in wanted:
        own = named.get(member.name, common)
        if own is None:
            raise DataError(
                f"no features for member {member.name!r}: give --features {member.name}=FILE"
            )
        source = str(own) if isinstance(own, (str, Path)) else "the features"
        table, model = read_features(own), member.tables[0]
        names = model.names
        if not names:
            if table.x.shape[1] != model.n_features:
                raise DataError(
                    f"{source}: {count(table.x.shape[1], 'column')}, but {member.name!r} was "
                    f"fitted to {model.n_features:,}: give features made as those of training were"
                )
            names = table.names
        found[member.name] = columns_of(table, names, source)
    return found


def _by_member(
    names: Sequence[str], given: GivenFeatures
) -> tuple[dict[str, "Path | str | pd.DataFrame"], "Path | str | pd.DataFrame | None"]:
    """Tables named for a member, and the one that was not."""
    if isinstance(given, Mapping):
        if unknown := sorted(set(given) - set(names)):
            raise DataError(
                f"features for {some(unknown)}, but the members that see features are {some(names)}"
            )
        return dict(given), None
    named: dict[str, Path | str | pd.DataFrame] = {}
    common: list[Path | str | pd.DataFrame] = []
    several = given if isinstance(given, (list, tuple)) else [given]
    for item in several:
        member, equals, file = str(item).partition("=") if isinstance(item, (str, Path)) else (
            "", "", ""
        )  # fmt: skip
        if equals and member in names:
            named[member] = file
        else:
            common.append(item)  # type: ignore[arg-type]
    if len(common) > 1:
        raise DataError(
            f"{count(len(common), 'file')} of features without a member's name: give --features "
            f"MEMBER=FILE for each of {some(names)}"
        )
    return named, common[0] if common else None


def _check_columns(metadata: NewMetadata, asked: Sequence[str]) -> None:
    absent = [name for name in asked if not metadata.column_of(name)]
    if absent:
        there = some(map(str, metadata.frame.columns)) or "none"
        raise DataError(
            f"{metadata.source}: no column {some(absent)}, which the run's models see; it has "
            f"{there}: add the column, empty where nothing is known"
        )


def _unseen(shipped: Shipped, metadata: NewMetadata, image_ids: Sequence[str]) -> list[str]:
    """A sentence for each column with values that no fold model was trained with."""
    told: dict[str, str] = {}
    for member in shipped.members:
        columns = metadata.columns(member.metadata, image_ids)
        for place, name in enumerate(member.metadata):
            strange = set(member.encoders[0][place].unseen(columns[name]))
            for encoders in member.encoders[1:]:
                strange &= set(encoders[place].unseen(columns[name]))
            if strange:
                n = int(np.isin(columns[name], sorted(strange)).sum())
                told[name] = (
                    f"{metadata.source}: {name} {some(map(repr, sorted(strange)), 5)} "
                    f"({count(n, 'image')}) never seen in training: taken as missing"
                )
    return list(told.values())
