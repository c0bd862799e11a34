"""The methods and calibrators by name, and which pairs ``auto`` tries."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, get_type_hints

from ensemble_kit.core.errors import RunError
from ensemble_kit.core.records import Floats, Ints
from ensemble_kit.posthoc.calibration.curves import (
    fit_beta,
    fit_histogram,
    fit_isotonic,
    fit_venn_abers,
)
from ensemble_kit.posthoc.calibration.prior import PriorShift, fit_identity
from ensemble_kit.posthoc.calibration.scaling import (
    fit_bias,
    fit_dirichlet,
    fit_matrix,
    fit_temperature,
    fit_vector,
)
from ensemble_kit.posthoc.calibration.tempered import fit_tempered_mixture
from ensemble_kit.posthoc.crossfit import Rows
from ensemble_kit.posthoc.ensembling.greedy import fit_greedy
from ensemble_kit.posthoc.ensembling.ranks import fit_ranks
from ensemble_kit.posthoc.ensembling.stacking import fit_stack
from ensemble_kit.posthoc.ensembling.trimmed import fit_trimmed
from ensemble_kit.posthoc.ensembling.weighting import (
    fit_best,
    fit_calibrated_mean,
    fit_class_weights,
    fit_geometric,
    fit_log_weights,
    fit_mean,
    fit_weights,
)

AUTO, SELECT = "auto", "select"


class Fitted(Protocol):
    """An ensembler (M, n, C) -> (n, C) or a calibrator (n, C) -> (n, C), after its fit."""

    @property
    def n_parameters(self) -> int: ...

    def apply(self, members: Floats) -> Floats: ...

    def to_json(self) -> dict[str, Any]: ...


FitMembers = Callable[[Rows], Fitted]
FitCalibrator = Callable[[Floats, Ints, Ints], Fitted]

METHODS: dict[str, FitMembers] = {
    "mean": fit_mean,
    "geometric": fit_geometric,
    "best": fit_best,
    "weights": fit_weights,
    "log-weights": fit_log_weights,
    "greedy": fit_greedy,
    "class-weights": fit_class_weights,
    "calibrated-mean": fit_calibrated_mean,
    "stack": fit_stack,
    "ranks": fit_ranks,
    "trimmed-mean": fit_trimmed,
}
CALIBRATORS: dict[str, FitCalibrator] = {
    "none": fit_identity,
    "temperature": fit_temperature,
    "tempered-mixture": fit_tempered_mixture,
    "bias": fit_bias,
    "vector": fit_vector,
    "dirichlet": fit_dirichlet,
    "matrix": fit_matrix,
    "beta": fit_beta,
    "isotonic": fit_isotonic,
    "venn-abers": fit_venn_abers,
    "histogram": fit_histogram,
}
COMBINED_METHODS = ("mean", "weights", "calibrated-mean", "log-weights", "stack")
SELECT_METHODS = ("mean", "best", "weights", "greedy", "calibrated-mean", "stack")
COMBINED_CALIBRATORS = ("temperature", "vector")
AUTO_CALIBRATORS = ("temperature", "bias", "vector")
SELECT_EXTRA = (("mean", "dirichlet"), ("mean", "isotonic"))
AUTO_METHODS = {AUTO: COMBINED_METHODS, SELECT: SELECT_METHODS}
ROWS_A_PARAMETER = 10


@dataclass(frozen=True)
class Candidate:
    """A method and a calibrator."""

    method: str
    calibrator: str

    def __str__(self) -> str:
        return f"{self.method} + {self.calibrator}"


def candidates(
    method: str, calibrator: str, n_members: int, n_classes: int, n_rows: int
) -> tuple[Candidate, ...]:
    """The pairs that an ensemble combines or is chosen from.

    ``auto`` combines every method of :data:`COMBINED_METHODS` with temperature and with vector
    scaling (or with the calibrator asked for); where the method is given or there is one member,
    that with each of :data:`AUTO_CALIBRATORS`. Pairs with more numbers to fit than a tenth of the
    rows are left out, and with one member all methods but the mean (which is that member).
    """
    several = AUTO_METHODS.get(method)
    if several is None and calibrator != AUTO:
        return (Candidate(method, calibrator),)
    methods = (method,) if several is None else several if n_members > 1 else ("mean",)
    calibrators: tuple[str, ...] = AUTO_CALIBRATORS if calibrator == AUTO else (calibrator,)
    if method == AUTO and calibrator == AUTO and n_members > 1:
        calibrators = COMBINED_CALIBRATORS
    pairs = [Candidate(m, c) for m in methods for c in calibrators]
    if calibrator == AUTO and method == SELECT:
        pairs += [Candidate(m, c) for m, c in SELECT_EXTRA]
    room = n_rows / ROWS_A_PARAMETER
    kept = [
        pair
        for pair in pairs
        if _size(pair.method, n_members, n_classes) + _size(pair.calibrator, 1, n_classes) <= room
    ]
    return tuple(kept) or (pairs[0],)


def methods_for(objective: str) -> dict[str, FitMembers]:
    """The methods, greedy selection minding the objective."""
    greedy: FitMembers = partial(fit_greedy, objective=objective)
    return METHODS | {"greedy": greedy}


def _size(name: str, m: int, c: int) -> int:
    sizes = {
        "calibrated-mean": m * (c + 1), "stack": c * (m * c + 1), "class-weights": m * c,
        "bias": c, "vector": 2 * c, "dirichlet": c * (c + 1), "matrix": c * (c + 1), "beta": 3 * c,
    }  # fmt: skip
    return sizes.get(name, m)


def _step_classes() -> dict[str, Any]:
    """kind -> class of every step that a registered fit returns, and of the prior shift."""
    fits: list[Callable[..., Fitted]] = [*METHODS.values(), *CALIBRATORS.values()]
    classes = [get_type_hints(fit)["return"] for fit in fits]
    return {cls.kind: cls for cls in (*classes, PriorShift)}


KINDS: dict[str, Any] = _step_classes()


def step_to_json(step: Any) -> dict[str, Any]:
    """A fitted step as plain values that name their kind; floats read back exactly."""
    return {"kind": step.kind, **step.to_json()}


def step_from_json(values: dict[str, Any]) -> Any:
    """The step that :func:`step_to_json` wrote."""
    kind = values.get("kind")
    if kind not in KINDS:
        raise RunError(
            f"a step of kind {kind!r} is not known here: "
            "use the version of ensemble_kit that wrote it"
        )
    return KINDS[kind].from_json(values)
