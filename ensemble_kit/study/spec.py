"""The study: everything that determines a run's result, as one frozen, checked value.

What only says where or how fast (run folder, stores, jobs) is not part of it.
"""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import tomli_w
from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from ensemble_kit.core.checked import checked
from ensemble_kit.core.digests import digest_of
from ensemble_kit.core.errors import StudyError, some
from ensemble_kit.core.regular import MOST_BYTES, read_whole
from ensemble_kit.study.cluster import ClusterSpec
from ensemble_kit.study.complaints import complaints
from ensemble_kit.study.data import DataSpec, Section, SplitSpec
from ensemble_kit.study.earlier import RENAMED, as_done_then, with_new_names
from ensemble_kit.study.evaluation import EvaluationSpec
from ensemble_kit.study.members import MemberSpec, check_members, in_sections, without
from ensemble_kit.study.model import ModelSpec
from ensemble_kit.study.space import SearchSpec
from ensemble_kit.study.vocabulary import read_vocabulary


class TrainingSpec(Section):
    head: Literal["probe", "sgd", "network"] = Field(
        "probe",
        description="how the head is found, base frozen: solved as the linear probe (seconds), or "
        "by epochs of AdamW; 'network', on features made elsewhere alone: a hidden layer",
    )
    head_epochs: int = Field(
        10,
        ge=1,
        le=1000,
        description="epochs of the head with head = 'sgd'; most epochs with 'network', or as many "
        "as 1,500 steps take",
    )
    fine_tune_epochs: int = Field(
        8, ge=0, le=1000, description="epochs of the last blocks; time grows in proportion"
    )
    batch_size: int = Field(32, ge=1, le=4096, description="images a step")
    head_lr: float = Field(
        1e-3, gt=0, le=1, description="learning rate of head = 'sgd' and 'network'"
    )
    fine_tune_lr: float = Field(
        1e-3,
        gt=0,
        le=1,
        description="learning rate of the second phase; 1e-3 for the last blocks, about 2e-4 where "
        "the whole network is trained",
    )
    weight_decay: float = Field(1e-4, ge=0, le=1, description="AdamW's decoupled decay; 0: Adam")
    logit_adjustment: float = Field(
        0.6,
        ge=0,
        le=1,
        description="τ: τ log frequency is taken off the class scores; rare classes are found more "
        "often, log loss suffers; costs no time",
    )
    fine_tuned_share: float = Field(
        0.75,
        gt=0,
        le=1,
        description="α: the weights kept are α of the fine-tuned ones and 1 - α of those that "
        "fine-tuning began with, the solved head on the frozen base; costs no time; 1: no mean",
    )
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="share given to the other classes")
    class_weights: float | Literal["balanced", "none"] = Field(
        "none", description="'balanced', 'none', or a power p in (0, 1]: weight = frequency^-p"
    )
    augment: Literal["none", "dihedral", "online"] = Field(
        "dihedral", description="flips and rotations of training images; 'online' adds colour"
    )
    views: int = Field(
        8,
        ge=1,
        le=8,
        description="dihedral views stored for each image; each costs a pass of the network, once, "
        "and disk",
    )
    test_views: int = Field(
        0,
        ge=0,
        le=8,
        description="test-time augmentation: views of a held-out image averaged; 0: all stored",
    )
    early_stopping: Literal["inner", "validation", "none"] = Field(
        "none", description="rows that pick the epoch: groups held out of training, the fold, none"
    )
    inner_share: float = Field(0.1, gt=0, lt=0.5, description="groups held out for 'inner'")
    schedule: Literal["plateau", "cosine"] = Field(
        "cosine",
        description="learning rate: halved when the validation loss stalls, or a cosine to 0",
    )
    warmup: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="share of a phase in which a cosine's rate first rises to its full value",
    )
    patience: int = Field(5, ge=1, description="epochs without improvement before stopping")
    store_dtype: Literal["float16", "float32"] = Field(
        "float16", description="precision of stored activations"
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="of the arithmetic; 'auto': bfloat16 on a GPU, float32 on a CPU"
    )

    @model_validator(mode="before")
    @classmethod
    def _old_names(cls, values: Any) -> Any:
        """``predict_views`` was the name of ``test_views``; studies that have it are read."""
        return with_new_names(values) if isinstance(values, Mapping) else values

    def averaged_views(self, stored: int) -> int:
        """Views of a held-out image that a prediction averages where ``stored`` are there."""
        return min(self.test_views or stored, stored)

    @property
    def idle(self) -> tuple[str, ...]:
        """Settings of the head's epochs that were changed though the head is solved."""
        names = ("head_epochs", "head_lr") if self.head == "probe" else ()
        fields = type(self).model_fields
        return tuple(name for name in names if getattr(self, name) != fields[name].default)

    @model_validator(mode="after")
    def _views_are_there(self) -> "TrainingSpec":
        there = {"none": 1, "dihedral": self.views, "online": 8}[self.augment]
        if self.test_views > there:
            raise ValueError(
                f"test_views = {self.test_views} asks for more than the {there} views there "
                f"are with augment = {self.augment!r}; raise views or lower test_views"
            )
        return self

    @field_validator("class_weights")
    @classmethod
    def _power(cls, value: float | str) -> float | str:
        if isinstance(value, (int, float)) and not 0 < value <= 1:
            raise ValueError("the power of class weights lies in (0, 1]")
        return value


class StudySpec(Section):
    """One study, as read from ``studies/*.toml`` and as run."""

    name: str = Field("study", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
    description: str = ""
    tuned_on: str = Field("", description="digest of the data set whose labels chose this study")
    tuned_by: str = Field("", description="name of the search that chose this study")
    data: DataSpec = DataSpec()
    split: SplitSpec = SplitSpec()
    model: ModelSpec = ModelSpec()
    training: TrainingSpec = TrainingSpec()
    evaluation: EvaluationSpec = Field(default_factory=EvaluationSpec)
    search: SearchSpec = SearchSpec()
    cluster: ClusterSpec = ClusterSpec()
    members: tuple[MemberSpec, ...] = ()

    @field_validator("members", mode="before")
    @classmethod
    def _in_sections(cls, values: Any) -> Any:
        return in_sections(values, {"model": ModelSpec, "training": TrainingSpec})

    @model_validator(mode="after")
    def _members_fit(self) -> "StudySpec":
        check_members(self.members, {"model": self.model, "training": self.training})
        return self

    @model_validator(mode="after")
    def _search_has_effect(self) -> "StudySpec":
        idle = sorted({"head_lr", "head_epochs"} & set(self.search.space))
        if idle and self.training.head == "probe" and "head" not in self.search.space:
            raise ValueError(
                f"search.space.{idle[0]} has no effect with training.head = 'probe', which is "
                "solved; leave it out, or set head = 'sgd'"
            )
        return self

    @model_validator(mode="before")
    @classmethod
    def _malignant_of_vocabulary(cls, values: Any) -> Any:
        """A study that names a vocabulary and no malignant classes has the vocabulary's."""
        data = values.get("data") if isinstance(values, Mapping) else None
        file = data.get("vocabulary") if isinstance(data, Mapping) else None
        evaluation = values.get("evaluation", {}) if isinstance(values, Mapping) else None
        if not file or not isinstance(file, str) or not isinstance(evaluation, Mapping):
            return values
        malignant = {"malignant": read_vocabulary(file).malignant}
        return {**values, "evaluation": malignant | dict(evaluation)}

    @property
    def digest(self) -> str:
        """Digest of what determines the fold models (not the name, the words or the search)."""
        split = self.split.model_dump(exclude={"folds_file"})
        return digest_of(split, self._model_as_ever(), self._training_by_old_names())

    def _model_as_ever(self) -> dict[str, Any]:
        """Settings of tables leave the digest of an image's run as it was before there were any."""
        later = ("inputs", "metadata", "metadata_anyway")
        values = self.model.model_dump()
        if self.training.head != "network":
            del values["hidden_units"]
        return {n: v for n, v in values.items() if n not in later or v not in ("images", ())}

    def _training_by_old_names(self) -> dict[str, Any]:
        """Renaming a setting leaves the digest, so that runs made before it can be resumed."""
        old = {new: old for old, new in RENAMED.items()}
        return {old.get(name, name): v for name, v in self.training.model_dump().items()}

    def to_toml(self) -> str:
        """The whole study with its defaults written out, but for where it runs."""
        none = {"cluster"} if self.members else {"cluster", "members"}
        return tomli_w.dumps(self.model_dump(mode="json", exclude=none))

    def override(self, changes: Mapping[str, Mapping[str, Any]]) -> "StudySpec":
        """A study with values replaced, its members' too: section -> name -> value or None."""
        given = {
            section: {name: value for name, value in pairs.items() if value is not None}
            for section, pairs in changes.items()
        }
        return _checked(_merged(self, given, {}), "the options given")


class Study(StudySpec):
    """A study written in Python: ``Study(model={"image_size": 150}, training={"views": 8})``.

    Sections and settings are those of a study file (docs/studies.md); what is left out has its
    default. Raises StudyError naming a setting that is unknown or out of range.
    """

    def __init__(self, **sections: Any) -> None:
        try:
            super().__init__(**sections)
        except ValidationError as error:
            raise StudyError(f"the study: {complaints(error)}") from None

    @staticmethod
    @checked
    def read(path: Path | str) -> StudySpec:
        """The study of a file; StudyError where it cannot be read or is wrong."""
        return read_study(Path(path))


def with_settings(study: StudySpec, settings: Sequence[str]) -> StudySpec:
    """A study with settings given as text, ``section.key=value``, as the option ``--set`` takes.

    A value is read as TOML (``0.5``, ``true``, ``["sex"]``), else as text. StudyError where a
    section or key is unknown.
    """
    changes: dict[str, dict[str, Any]] = {}
    top: dict[str, Any] = {}
    for text in settings:
        name, sign, value = text.partition("=")
        section, _, key = name.strip().partition(".")
        if not sign or not section:
            raise StudyError(f"--set {text!r}: write section.key=value, as in training.views=8")
        if not key:
            top[section] = _toml_value(value)
            continue
        known = type(study).model_fields.get(section)
        if known is None or not isinstance(getattr(study, section), BaseModel):
            sections = [
                n for n in StudySpec.model_fields if isinstance(getattr(study, n), BaseModel)
            ]
            raise StudyError(
                f"--set {text!r}: a study has no section {section!r}; there are {some(sections)}"
            )
        changes.setdefault(section, {})[key] = _toml_value(value)
    return _checked(_merged(study, changes, top), "--set")


def _merged(
    study: StudySpec, changes: Mapping[str, Mapping[str, Any]], top: Mapping[str, Any]
) -> dict[str, Any]:
    values = study.model_dump() | dict(top)
    if "members" not in top:
        values["members"] = without(values["members"], changes)
    for section, pairs in changes.items():
        given = with_new_names(pairs) if section == "training" else dict(pairs)
        values[section] = values[section] | given
    _forget_malignant(values, changes)
    return values


def _forget_malignant(values: dict[str, Any], changes: Mapping[str, Mapping[str, Any]]) -> None:
    """Another vocabulary brings its own malignant classes, unless they are given too."""
    if changes.get("data", {}).get("vocabulary") is None:
        return
    if changes.get("evaluation", {}).get("malignant") is None:
        del values["evaluation"]["malignant"]


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text.strip()


def read_study(path: Path, *, of_run: bool = False) -> StudySpec:
    """Read and check a study file; ``sample``: that of the built-in set, ``features``: the search
    on features made elsewhere. of_run : see :func:`parse_study`."""
    if str(path) in ("sample", "features") and not path.is_file():
        path = Path(__file__).with_name(f"{path}.toml")
    try:
        text = read_whole(path, StudyError, MOST_BYTES).decode("utf-8")
    except OSError as error:
        raise StudyError(f"{path}: cannot be read ({error.strerror}); name a study file") from None
    except UnicodeDecodeError:
        raise StudyError(f"{path}: not UTF-8 text; a study is a TOML file") from None
    return parse_study(text, str(path), of_run=of_run)


def parse_study(text: str, source: str, *, of_run: bool = False) -> StudySpec:
    """Check a study given as TOML text; ``source`` names it in errors.

    of_run : it is a run's own record, written with every setting of its time: one that is absent
    did not exist, and means what was done then, not today's default.
    """
    try:
        values = tomllib.loads(text)
    except RecursionError:
        raise StudyError(f"{source}: not valid TOML: brackets nested too deeply") from None
    except ValueError as error:
        raise StudyError(f"{source}: not valid TOML: {error}; mend that line") from None
    return _checked(as_done_then(values) if of_run else values, source)


def _checked(values: Mapping[str, Any], source: str) -> StudySpec:
    try:
        return StudySpec.model_validate(values)
    except ValidationError as error:
        raise StudyError(f"{source}: {complaints(error)}") from None
