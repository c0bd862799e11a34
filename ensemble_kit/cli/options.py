"""Options that several commands share, with one wording each."""

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from ensemble_kit.cli.folders import folder_option
from ensemble_kit.study import EvaluationSpec, StudySpec, read_study, with_settings
from ensemble_kit.study.cluster import ClusterSpec
from ensemble_kit.study.vocabulary import read_vocabulary

if TYPE_CHECKING:
    from ensemble_kit.data.prediction_rows import Asked

STUDY_DEFAULT = "(study, or"

Data = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="DIR",
        help="Data folder, its CSV, or 'sample' for the built-in set; default: dataset/.",
        show_default=False,
    ),
]
Duplicates = Annotated[
    Path | None,
    typer.Option(
        metavar="CSV",
        help="Pairs of near-duplicate images (two columns of ids) to keep in one group.",
        show_default=False,
    ),
]
Columns = Annotated[
    str | None,
    typer.Option(
        "--columns",
        metavar="ROLE=COLUMN,…",
        help="Which column is what: image, label, patient, lesion, group, age, sex, site; join "
        "columns with +, as in group=patient_id+lesion_id. Default: by their usual names.",
        show_default=False,
    ),
]
GroupPattern = Annotated[
    str | None,
    typer.Option(
        "--group-pattern",
        metavar="REGEX",
        help="What it captures in a file's name is the image's group, as in 'person(\\d+)'.",
        show_default=False,
    ),
]
LabelLevel = Annotated[
    int | None,
    typer.Option(
        "--label-level",
        min=1,
        max=9,
        help="Which of diagnosis_1, diagnosis_2 … is the label; default: the finest there.",
        show_default=False,
    ),
]
MapLabels = Annotated[
    Path | None,
    typer.Option(
        "--map-labels",
        metavar="CSV",
        help="Table (from, to, drop) that renames or drops labels.",
        show_default=False,
    ),
]
MinGroups = Annotated[
    str | None,
    typer.Option(
        "--min-groups",
        metavar="N=merge:NAME|drop",
        help="What becomes of classes with fewer than N groups.",
        show_default=False,
    ),
]
Jobs = Annotated[int, typer.Option(min=1, max=256, help="Images decoded at a time, in threads.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Say more; show where an unexpected error arose.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print results and errors only.")]
NoProgress = Annotated[bool, typer.Option("--no-progress", help="Draw no progress bars.")]
Truth = Annotated[
    Path | None,
    typer.Option(
        "--truth",
        metavar="CSV|DIR",
        help="Labels, groups and metadata of --predictions: ISIC's one-hot CSV, a metadata CSV or "
        "a data folder; default: the prediction file's own columns.",
        show_default=False,
    ),
]
PredictionsFolds = Annotated[
    Path | None,
    typer.Option(
        "--folds-file",
        metavar="CSV",
        help="Folds of --predictions (image, fold); default: the prediction file's column 'fold'.",
        show_default=False,
    ),
]
MALIGNANT = ",".join(read_vocabulary().malignant)
Malignant = Annotated[
    str,
    typer.Option(
        "--malignant",
        metavar="A,B,…",
        help="Classes of the malignant-versus-benign view; '' for none.",
    ),
]
Costs = Annotated[
    Path | None,
    typer.Option(
        "--costs",
        metavar="CSV",
        help="Costs of actions: a row a class, a column an action ('refer' is a referral). Each "
        "image gets the action of least expected cost.",
        show_default=False,
    ),
]
Level = Annotated[float, typer.Option("--level", help="Coverage of the intervals, 0.5 to 1.")]
Replicates = Annotated[
    int, typer.Option("--replicates", help="Bootstrap replicates; 0 for no intervals.")
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace a run of that name made otherwise.")
]
Track = Annotated[
    str | None,
    typer.Option(
        "--track",
        metavar="mlflow|wandb",
        help="Copy settings, epochs, figures and the page to a tracker, on this machine unless its "
        "own settings name a server (docs/tracking.md).",
        show_default=False,
    ),
]
StudyFile = Annotated[
    Path | None,
    typer.Option(
        "--study",
        metavar="FILE.toml",
        help="Study file. Options given beside it override it; where neither says anything, the "
        "default after 'or' holds.",
    ),
]

RunsDir = Annotated[Path, folder_option("--runs-dir", "Folder of the run folders.")]
StoreDir = Annotated[
    Path, folder_option("--store", "Folder of decoded pixels and stored activations.")
]
StoreLimit = Annotated[
    float,
    typer.Option(
        "--store-limit",
        min=0.001,
        metavar="GB",
        help="Most the activations of this study may take.",
    ),
]


METAVARS = {
    "folds": "K", "backbone": "NAME", "image_size": "PX", "weights": "imagenet|none|FILE",
    "unfreeze_depth": "BLOCKS", "batch_size": "IMAGES", "dropout": "SHARE",
    "class_weights": "none|balanced|POWER", "views": "1-8", "test_views": "1-8",
    "gpus": "N", "devices": "0,1,…", "stage_dir": "DIR",
}  # fmt: skip


def setting(section: str, key: str) -> Any:
    """The option of one setting of a study: help, choices and default are the study's own."""
    model = StudySpec.model_fields[section].annotation
    assert model is not None
    field = model.model_fields[key]
    choices = "|".join(str(c) for c in get_args(field.annotation) if isinstance(c, str))
    default = f"{field.default:g}" if isinstance(field.default, float) else str(field.default)
    default = default or "none"
    said = field.description or key
    return typer.Option(
        metavar=METAVARS.get(key, choices or None),
        help=f"{said[0].upper()}{said[1:]}. {STUDY_DEFAULT} {default})",
        show_default=False,
    )


Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="SECTION.KEY=VALUE",
        help="Any setting of the study (docs/studies.md), as in training.batch_size=64. "
        "Repeatable.",
        show_default=False,
    ),
]


def names_of(command: str, source: str, *more: str) -> str:
    """``auto|mean|…``: the names in a registry, for a help text. source : module:attribute.

    The registry is loaded only where help of ``command`` was asked for; else ``NAME`` stands in.
    """
    if not {command, "--help"} <= set(sys.argv):
        return "NAME"
    module, _, attribute = source.partition(":")
    return "|".join((*more, *getattr(import_module(module), attribute)))


EXECUTORS = "ensemble_kit.training.executors:EXECUTORS"


def executor_option(command: str) -> Any:
    """``--executor``, with the names that the registry has."""
    return typer.Option(
        "--executor",
        metavar=names_of(command, EXECUTORS),
        help="What runs the fold models: this machine or a cluster (docs/cluster.md). "
        f"{STUDY_DEFAULT} local)",
        show_default=False,
    )


def cluster_of(executor: str | None, address: str | None) -> ClusterSpec:
    """Where a command without a study runs; StudyError as :func:`study_of`."""
    return study_of(None, {"cluster": {"executor": executor, "address": address}}).cluster


Address = Annotated[
    str | None,
    typer.Option(
        "--address",
        metavar="URL",
        help="Of a cluster that runs already, such as tcp://HOST:8786; default: the study's, else "
        "a cluster of its own on this machine.",
        show_default=False,
    ),
]
StageFlag = Annotated[
    bool,
    typer.Option(
        "--stage",
        help="The cluster's workers share no folder with this machine: they fetch what they lack "
        "and send results back.",
    ),
]
FoldJobs = Annotated[
    int,
    typer.Option(
        "--jobs", min=1, max=64, help="Folds trained at a time, on each machine of a cluster."
    ),
]
From = Annotated[
    str,
    typer.Option(
        "--from",
        metavar="probabilities|logits",
        help="What the numbers of --predictions are; logits go through softmax.",
    ),
]
Normalise = Annotated[
    bool,
    typer.Option(
        "--normalise", help="Divide each row's scores by their sum where they do not sum to 1."
    ),
]
RowsPerImage = Annotated[
    str,
    typer.Option(
        "--rows-per-image",
        metavar="one|mean",
        help="Several rows an image (views, repeats) are refused, or averaged.",
    ),
]
Align = Annotated[
    bool, typer.Option("--align", help="Keep only the images that all members, and a truth, have.")
]


def asked_of(
    scale: str, normalise: bool, rows_per_image: str, columns: Mapping[str, str]
) -> "Asked":
    """How predictions are to be read, by the options. Raises StudyError."""
    from ensemble_kit.core.errors import StudyError
    from ensemble_kit.data.prediction_rows import Asked

    if scale not in ("probabilities", "logits"):
        raise StudyError(f"--from {scale!r}: give probabilities or logits")
    if rows_per_image not in ("one", "mean"):
        raise StudyError(f"--rows-per-image {rows_per_image!r}: give one or mean")
    return Asked(
        columns=columns,
        scale="logits" if scale == "logits" else "probabilities",
        normalise=normalise,
        several="mean" if rows_per_image == "mean" else "refuse",
    )


def data_changes(
    data: str | None, duplicates: Path | None, columns: str | None, group_pattern: str | None,
    label_level: int | None, map_labels: Path | None, min_groups: str | None,
) -> dict[str, Any]:  # fmt: skip
    """The options on how data is read, as values of a study's section [data]."""
    from ensemble_kit.data.columns import parse_columns

    return {
        "path": data,
        "duplicates": None if duplicates is None else str(duplicates),
        "columns": None if columns is None else parse_columns(columns),
        "group_pattern": group_pattern,
        "label_level": label_level,
        "map_labels": None if map_labels is None else str(map_labels),
        "min_groups": min_groups,
    }


def study_of(
    file: Path | None,
    changes: Mapping[str, Mapping[str, Any]],
    settings: Sequence[str] | None = None,
) -> StudySpec:
    """The study of a file (or the default one), the options given and then ``--set`` in place of
    its values; StudyError where it cannot run as it says."""
    written = read_study(file) if file else StudySpec()
    study = with_settings(written.override(changes), settings or ())
    if study.cluster != ClusterSpec():
        from ensemble_kit.training.executors import check_executor

        check_executor(study.cluster)
    return study


def evaluation_settings(
    malignant: str, level: float, replicates: int, slices: Sequence[str] = ()
) -> EvaluationSpec:
    """What the figures depend on, from the options; StudyError for what is out of range."""
    names = tuple(part.strip() for part in malignant.split(",") if part.strip())
    changes = {"malignant": names, "replicates": replicates, "level": level, "slices": slices}
    return StudySpec().override({"evaluation": changes}).evaluation
