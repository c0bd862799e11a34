"""Who proposes the next point of a search."""

import optuna
from optuna.trial import TrialState

from ensemble_kit.core.errors import SearchError
from ensemble_kit.study import StudySpec


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
