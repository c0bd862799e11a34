"""What every workflow begins with: the images, their folds, the name of the run folder."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from ensemble_kit.core.checked import checked
from ensemble_kit.core.errors import RunError, StudyError
from ensemble_kit.core.listening import Tell, say_nothing
from ensemble_kit.core.places import check_apart, check_output_folder
from ensemble_kit.core.records import Folds, ImageTable
from ensemble_kit.data.dataset import DataSet, data_or_default, load_data
from ensemble_kit.models import Backbone, check_model_spec
from ensemble_kit.runs.manifest import is_run
from ensemble_kit.runs.own_files import check_replaceable
from ensemble_kit.splits import make_folds, read_folds_file
from ensemble_kit.study import DataSpec, StudySpec, read_study

STORE_DIR, RUNS_DIR = Path("store"), Path("runs")
DEFAULT_SEARCH_STUDY = Path("studies/ham10000.toml")
Images = ImageTable | Path | str | None
"""A table, what :func:`load_images` reads, or None for the study's own data."""


@checked
def load_images(
    path: Path | str | None = None,
    *,
    duplicates: Path | str | None = None,
    store_dir: Path | str = STORE_DIR,
) -> ImageTable:
    """Read a data set: its images with labels, groups and metadata.

    path : a folder, a table that names the images, or ``"sample"`` for the built-in set, which is
        drawn into ``store_dir`` once; default ``dataset/``.
    duplicates : CSV of image pairs that must stay in one group.
    Returns the images sorted by id. Raises DataError naming what is wrong.
    """
    spec = DataSpec(duplicates=str(duplicates or ""))
    return load_dataset(path, spec, sample_dir=Path(store_dir) / "sample").table


def load_dataset(
    path: Path | str | None = None,
    spec: DataSpec | None = None,
    *,
    sample_dir: Path = STORE_DIR / "sample",
    require_images: bool = True,
) -> DataSet:
    """:func:`load_images` with what was taken for what, read as the study's section [data] says."""
    return load_data(
        data_or_default(None if path is None else str(path)),
        spec,
        sample_dir=sample_dir,
        require_images=require_images,
    )


def read_images(
    images: Images,
    study: StudySpec,
    sample_dir: Path = STORE_DIR / "sample",
    *,
    tell: Tell = say_nothing,
) -> tuple[ImageTable, dict[str, object]]:
    """The images given, or those that the study names, and what a manifest records of the reading.

    tell : hears "read" (told, notes, warnings).
    """
    if isinstance(images, ImageTable):
        return images, {}
    found = load_dataset(images or study.data.path or None, study.data, sample_dir=sample_dir)
    tell("read", told=found.told, notes=found.notes, warnings=found.warnings)
    return found.table, found.interpretation()


def check_outputs(images: Images, study: StudySpec, outputs: Mapping[str, Path]) -> None:
    """OutputError where a folder to write to lies in the folder of the images. outputs : by the
    option that names each."""
    source = images if isinstance(images, (str, Path)) else study.data.path
    if source and Path(source).is_dir():
        for option, place in outputs.items():
            check_apart(Path(place), option, Path(source))


def images_of(
    images: Images, study: StudySpec, sample_dir: Path = STORE_DIR / "sample"
) -> ImageTable:
    """The images given, or those that the study names."""
    return read_images(images, study, sample_dir)[0]


def draws_of(
    images: ImageTable,
    study: StudySpec,
    folds: Folds | Sequence[Folds] | None = None,
    *,
    tell: Tell = say_nothing,
) -> tuple[StudySpec, list[Folds]]:
    """One ``Folds`` a repeat: those given, those of the study's file, or drawn by the study.

    The study returned says how many folds there are. tell : hears "read" of a folds file. Raises
    SplitError, StudyError.
    """
    if folds is None and not study.split.folds_file:
        split = study.split
        return study, make_folds(images, split.folds, split.seed, split.repeats)
    if folds is None:
        if study.split.repeats > 1:
            raise StudyError("a folds file holds one draw of folds; leave --repeats out")
        folds = read_folds_file(Path(study.split.folds_file), images, tell)
    draws = [folds] if isinstance(folds, Folds) else list(folds)
    split_now = {"folds": draws[0].n_folds, "repeats": len(draws)}
    return study.override({"split": split_now}), draws


def check_network(study: StudySpec) -> Backbone:
    """The backbone of a study of images; StudyError where it cannot be trained as asked."""
    if study.training.head == "network":
        raise StudyError(
            "head = 'network' is a network on features made elsewhere: give --features FILE, or "
            "for images head = 'probe' or 'sgd'"
        )
    return check_model_spec(study.model)


def check_model_of(file: Path, study: StudySpec) -> None:
    """StudyError where the study's backbone, size or depth cannot be; it names the file where its
    own values are at fault, not those given in their place."""
    try:
        check_model_spec(study.model)
    except StudyError as error:
        named = f"{file}: " if read_study(file).model == study.model else ""
        raise StudyError(f"{named}{error}") from None


def run_folder(runs_dir: Path, name: str, overwrite: bool = False) -> Path:
    """The folder a run goes to; one that is there and holds something else is refused, and one to
    be replaced that holds more than a run."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name):
        raise RunError(
            f"run name {name!r}: at most 100 letters, digits, '.', '_' and '-', the first a letter "
            "or digit; give another --run NAME"
        )
    folder = runs_dir / name
    check_output_folder(folder, "--runs-dir")
    if folder.exists() and not is_run(folder):
        raise RunError(f"{folder} is there and is no run; give another --run NAME")
    if overwrite:
        check_replaceable(folder, "--run")
    return folder


def default_run_name(study: StudySpec, images: ImageTable) -> str:
    """The study's name where it has one of its own, else backbone and data."""
    if study.name != StudySpec().name:
        return study.name
    data = study.data.path or images.root or "dataset"
    return run_name(f"{study.model.backbone}-{Path(data).resolve().stem}")


def run_name(text: str) -> str:
    """A run's name from a file's: what may not stand in one becomes ``-``."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:100]
    return plain or "run"


def default_search_study(*, of_features: bool = False) -> StudySpec:
    """``studies/ham10000.toml`` below the working directory, or the package's own search on
    features; StudyError where it is not."""
    if of_features:
        return read_study(Path("features"))
    if DEFAULT_SEARCH_STUDY.is_file():
        return read_study(DEFAULT_SEARCH_STUDY)
    raise StudyError(
        f"no study given, and there is no {DEFAULT_SEARCH_STUDY} in the working directory: `tune` "
        "needs a study file with a search space; give --study FILE"
    )
