"""The search section of a study: which settings may vary, over what, and how trials are judged."""

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)

from ensemble_kit.core.broken_rules import Settings, broken_rule

Scalar = bool | int | float | str
Metric = Literal["log_loss", "roc_auc_ovr", "balanced_accuracy"]
OLD_METRICS: Mapping[str, str] = {"macro_auc": "roc_auc_ovr"}
"""Names that searches and ensembles of before used, still read."""
Kind = Literal["int", "float", "category"]

PARAMETERS: Mapping[str, tuple[Literal["model", "training"], Kind]] = {
    "head": ("training", "category"),
    "backbone": ("model", "category"),
    "image_size": ("model", "int"),
    "unfreeze_depth": ("model", "int"),
    "hidden_units": ("model", "int"),
    "dropout": ("model", "float"),
    "augment": ("training", "category"),
    "views": ("training", "int"),
    "batch_size": ("training", "int"),
    "class_weights": ("training", "float"),
    "label_smoothing": ("training", "float"),
    "logit_adjustment": ("training", "float"),
    "weight_decay": ("training", "float"),
    "schedule": ("training", "category"),
    "head_lr": ("training", "float"),
    "head_epochs": ("training", "int"),
    "fine_tune_epochs": ("training", "int"),
    "fine_tune_lr": ("training", "float"),
    "fine_tuned_share": ("training", "float"),
}
"""Settings that can be searched: their section of the study and what they are. Those that decide
whether another applies (head, unfreeze_depth, augment, fine_tune_epochs) come before it."""

OF_NETWORK_HEADS = (
    "hidden_units", "dropout", "batch_size", "label_smoothing", "weight_decay", "schedule",
    "head_lr", "head_epochs",
)  # fmt: skip
OF_FEATURES = ("head", "class_weights", "logit_adjustment", *OF_NETWORK_HEADS)
"""What has an effect on features made elsewhere; the former with head = 'network' alone."""

MOST_STEPS = 10_000
RATES = ("head_lr", "fine_tune_lr", "weight_decay")


class Range(Settings):
    """Numbers from ``low`` to ``high``, both included; ``step`` 0 leaves floats continuous."""

    low: float
    high: float
    step: float = Field(0.0, ge=0)
    log: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> "Range":
        if not (math.isfinite(self.low) and math.isfinite(self.high)):
            raise ValueError("low and high must be finite numbers")
        if self.low > self.high:
            raise ValueError(f"the range is reversed: low {self.low:g} exceeds high {self.high:g}")
        if self.low == self.high:
            raise ValueError(f"the range holds {self.low:g} alone; set it in the study instead")
        if self.log and self.low <= 0:
            raise ValueError(f"a log range starts above 0, not at {self.low:g}")
        if self.log and self.step:
            raise ValueError("a log range has no step; drop one of the two")
        return self

    def holds(self, value: object) -> bool:
        if isinstance(value, (bool, str)) or not isinstance(value, (int, float)):
            return False
        steps = (value - self.low) / self.step if self.step else 0.0
        return self.low <= value <= self.high and abs(steps - round(steps)) < 1e-8


Choices = tuple[Scalar, ...]


def _form(value: object) -> str:
    return "list" if isinstance(value, (list, tuple)) else "range"


Domain = Annotated[
    Annotated[Range, Tag("range")] | Annotated[Choices, Tag("list")], Discriminator(_form)
]


class SearchSpec(Settings):
    """``[search]`` of a study. ``space``: setting -> a range, or a list of choices."""

    metric: Metric = Field("log_loss", description="what trials are judged by, out of fold")
    sampler: Literal["tpe", "gp", "random"] = Field("tpe", description="Optuna sampler")
    pruner: Literal["paired", "median", "halving", "hyperband", "none"] = Field(
        "paired", description="what stops poor trials: by folds 'paired', by epochs Optuna's"
    )
    min_gain: float = Field(
        0.1,
        ge=-1,
        le=100,
        description="gain over the best, in its standard errors, below which a trial is not worth "
        "its folds (paired pruner); negative: stop for proof of harm alone",
    )
    trials: int = Field(20, ge=1, le=100_000, description="trials, the study's defaults first")
    cost: bool = Field(False, description="also minimise the cost of inference")
    space: dict[str, Domain] = Field(default_factory=dict, description="setting -> domain")

    @field_validator("metric", mode="before")
    @classmethod
    def _of_today(cls, value: Any) -> Any:
        return OLD_METRICS.get(value, value) if isinstance(value, str) else value

    @field_validator("space", mode="before")
    @classmethod
    def _known(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise ValueError("the space is a table: setting = range or list of choices")
        unknown = sorted(set(value) - set(PARAMETERS))
        if unknown:
            raise ValueError(
                f"{', '.join(unknown[:10])} cannot be searched; choose from {', '.join(PARAMETERS)}"
            )
        for name, domain in value.items():
            if not isinstance(domain, (Mapping, list, tuple, Range)):
                raise ValueError(
                    f"{name}: give a range such as {{ low = 0.0, high = 0.5 }} or a list of choices"
                )
        return value

    @model_validator(mode="after")
    def _typed(self) -> "SearchSpec":
        for name, domain in self.space.items():
            kind = PARAMETERS[name][1]
            if isinstance(domain, Range):
                _check_range(name, kind, domain)
            else:
                _check_choices(name, domain)
        return self

    def warnings(self) -> tuple[str, ...]:
        """Sentences about ranges that are legal but unwise."""
        wide = [
            name
            for name in RATES
            if isinstance(domain := self.space.get(name), Range)
            and not domain.log
            and (domain.low == 0 or domain.high / domain.low >= 10)
        ]
        return tuple(
            f"search.space.{name} spans a factor of ten or more without log = true: nearly all "
            "trials fall into its highest decade; add log = true"
            for name in wide
        )


def check_domains(space: Mapping[str, Domain], sections: Mapping[str, BaseModel]) -> None:
    """ValueError where an end of a range, or a choice, is no value that its setting can have.

    sections : of the study, by name ("model", "training").
    """
    for name, domain in space.items():
        section, kind = PARAMETERS[name]
        own = sections[section]
        if isinstance(domain, Range) and domain.step and (
            (domain.high - domain.low) / domain.step > MOST_STEPS
        ):  # fmt: skip
            raise ValueError(
                f"search.space.{name}: step {domain.step:g} is too small, at most {MOST_STEPS:,} "
                "steps are drawn from"
            )
        values: tuple[Scalar, ...] = domain if not isinstance(domain, Range) else (
            (int(domain.low), int(domain.high)) if kind == "int" else (domain.low, domain.high)
        )  # fmt: skip
        for value in values:
            try:
                read = type(own).model_validate(own.model_dump() | {name: value})
                if isinstance(value, str) and not isinstance(getattr(read, name), str):
                    raise ValueError(f"search.space.{name}: {value!r} is text, not a number")
            except ValidationError as error:
                for found in error.errors(include_url=False):
                    if found["loc"][:1] == (name,):
                        raise ValueError(f"search.space.{name} {broken_rule(found)}") from None


def _check_range(name: str, kind: Kind, domain: Range) -> None:
    if kind == "category":
        raise ValueError(f"{name} takes a list of choices, not a range")
    if kind == "int":
        whole = [domain.low, domain.high, domain.step]
        if any(value != round(value) for value in whole):
            raise ValueError(f"{name} is a whole number; give low, high and step without fractions")
    if domain.step:
        steps = (domain.high - domain.low) / domain.step
        if abs(steps - round(steps)) > 1e-8:
            raise ValueError(f"{name}: high is not low plus a whole number of steps")


def _check_choices(name: str, choices: Choices) -> None:
    if len(choices) == 0:
        raise ValueError(f"{name} has no choices; list at least two")
    if len(choices) == 1:
        raise ValueError(f"{name} has one choice; set {choices[0]!r} in the study instead")
    if len(set(map(repr, choices))) < len(choices):
        raise ValueError(f"{name} lists a choice twice")
