"""Points of the search space: who proposes the next, and the study a point stands for."""

from collections.abc import Iterable, Mapping
from itertools import product
from typing import Any

import optuna
from optuna.trial import TrialState

from ensemble_kit.core.errors import SearchError, StudyError, some
from ensemble_kit.models import check_model_spec
from ensemble_kit.study import StudySpec
from ensemble_kit.study.space import (
    OF_FEATURES,
    OF_NETWORK_HEADS,
    PARAMETERS,
    Domain,
    Range,
    Scalar,
    check_domains,
)


def make_sampler(spec: StudySpec, states: list[TrialState]) -> optuna.samplers.BaseSampler:
    """The sampler for the next trial: its seed follows from the study's seed and the trials begun,
    so that a resumed search draws on and a lone one repeats."""
    begun = sum(state != TrialState.WAITING for state in states)
    alone = TrialState.RUNNING not in states
    seed = (spec.split.seed * 100_003 + begun) % 2**31 if alone else None
    if spec.search.sampler == "random":
        return optuna.samplers.RandomSampler(seed)
    if spec.search.sampler == "gp":
        try:
            import torch  # noqa: F401
        except ImportError:
            raise SearchError(
                "the sampler 'gp' needs torch, which is not installed: pip install torch, or give "
                "--sampler tpe"
            ) from None
        return optuna.samplers.GPSampler(seed=seed)
    startup = max(3, min(10, spec.search.trials // 4))
    return optuna.samplers.TPESampler(seed=seed, n_startup_trials=startup)


def check_space(spec: StudySpec) -> None:
    """Raise SearchError or StudyError where some point of the space, or the study itself, cannot
    be run: no space, the study's own value outside it, a size or depth a backbone cannot have."""
    space = spec.search.space
    if not space:
        raise SearchError(
            f"study {spec.name!r} has no search space: add a table [search.space] with a range or "
            "a list of choices for each setting to search (docs/tuning.md)"
        )
    _check_effect(spec)
    try:
        check_domains(space, {"model": spec.model, "training": spec.training})
    except ValueError as error:
        raise StudyError(f"study {spec.name!r}: {error}") from None
    for name, domain in space.items():
        own = _value(spec, name)
        inside = domain.holds(own) if isinstance(domain, Range) else own in domain
        if not inside:
            section = PARAMETERS[name][0]
            raise SearchError(
                f"{section}.{name} is {own!r} in the study, which search.space.{name} does not "
                "hold: the first trial is the study as it stands; widen the space or change the "
                "study's own value"
            )
    names = ("backbone", "image_size", "unfreeze_depth")
    for values in product(*(values_of(spec, name) for name in names)):
        check_model_spec(with_params(spec, dict(zip(names, values, strict=True))).model)
    for augment, views in product(values_of(spec, "augment"), values_of(spec, "views")):
        with_params(spec, {"augment": augment, "views": views})
    for name, domain in space.items():
        for value in (domain.low, domain.high) if isinstance(domain, Range) else domain:
            with_params(spec, {name: _typed(name, value)})


def _check_effect(spec: StudySpec) -> None:
    """SearchError where a setting of the space can have no effect on what the study sees."""
    space, heads = spec.search.space, values_of(spec, "head")
    if spec.model.inputs == "images":
        if "hidden_units" in space or "network" in heads:
            raise SearchError(
                "head = 'network' and its hidden_units are of features made elsewhere: give "
                "--features FILE, or leave them out of the space"
            )
        return
    if idle := [name for name in space if name not in OF_FEATURES]:
        raise SearchError(
            f"search.space: {some(idle)} has no effect on features made elsewhere, which are seen "
            f"by no network on images; search {', '.join(OF_FEATURES)}"
        )
    idle = [name for name in space if name in OF_NETWORK_HEADS]
    if idle and "network" not in heads:
        raise SearchError(
            f"search.space: {some(idle)} has no effect with head = {spec.training.head!r}, whose "
            "penalty inner folds choose; set head = 'network', or search it too"
        )


def values_of(spec: StudySpec, name: str) -> tuple[Any, ...]:
    """The values of a countable setting that a trial can have: of its domain, or the study's."""
    domain = spec.search.space.get(name)
    if domain is None:
        return (_value(spec, name),)
    if isinstance(domain, Range):
        step = int(domain.step) or 1
        return tuple(range(int(domain.low), int(domain.high) + 1, step))
    return domain


def own_params(spec: StudySpec) -> dict[str, Scalar]:
    """The study as it stands, as a point of its space: only settings that apply to it."""
    return {n: _value(spec, n) for n in spec.search.space if _applies(n, _settings(spec))}


def with_params(spec: StudySpec, params: Mapping[str, Scalar]) -> StudySpec:
    """The study with some settings replaced."""
    changes: dict[str, dict[str, Any]] = {"model": {}, "training": {}}
    for name, value in params.items():
        changes[PARAMETERS[name][0]][name] = value
    return spec.override(changes)


def suggest(trial: optuna.Trial, spec: StudySpec) -> StudySpec:
    """Draw every setting that applies; a setting that does not apply is not drawn at all (no
    second rate for a head alone, no views without stored ones)."""
    settings = _settings(spec)
    drawn: dict[str, Scalar] = {}
    for name in PARAMETERS:
        if name in spec.search.space and _applies(name, settings):
            settings[name] = drawn[name] = _draw(trial, name, spec.search.space[name])
    return with_params(spec, drawn)


def _draw(trial: optuna.Trial, name: str, domain: Domain) -> Any:
    if not isinstance(domain, Range):
        return trial.suggest_categorical(name, domain)
    if PARAMETERS[name][1] == "int":
        low, high, step = int(domain.low), int(domain.high), int(domain.step) or 1
        return trial.suggest_int(name, low, high, step=step, log=domain.log)
    return trial.suggest_float(
        name, domain.low, domain.high, step=domain.step or None, log=domain.log
    )


def _applies(name: str, settings: Mapping[str, Any]) -> bool:
    if settings["inputs"] == "features":
        return name not in OF_NETWORK_HEADS or settings["head"] == "network"
    if name in ("head_lr", "head_epochs"):
        return bool(settings["head"] == "sgd")
    fine_tuned = settings["unfreeze_depth"] > 0
    if name == "fine_tune_epochs":
        return bool(fine_tuned)
    if name in ("fine_tune_lr", "fine_tuned_share"):
        return bool(fine_tuned and settings["fine_tune_epochs"] > 0)
    if name == "views":
        return bool(settings["augment"] == "dihedral")
    return True


def _settings(spec: StudySpec) -> dict[str, Any]:
    return {"inputs": spec.model.inputs} | {name: _value(spec, name) for name in PARAMETERS}


def _value(spec: StudySpec, name: str) -> Any:
    return getattr(getattr(spec, PARAMETERS[name][0]), name)


def _typed(name: str, value: Any) -> Any:
    return int(value) if PARAMETERS[name][1] == "int" and isinstance(value, float) else value


def readable(params: Mapping[str, Scalar], names: Iterable[str]) -> list[str]:
    """Values in the order of names, short; an en dash for what does not apply."""
    return [
        "–" if (value := params.get(name)) is None
        else f"{value:.3g}" if isinstance(value, float) else str(value)
        for name in names
    ]  # fmt: skip
