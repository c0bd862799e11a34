"""Minimise a smooth convex function, with lower bounds where there are any."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.optimize import minimize

from ensemble_kit.records import Floats

MAX_NEWTON_PARAMETERS = 700


@dataclass(frozen=True, eq=False)
class Slope:
    """Value (a number) and gradient (P,) of an objective at a point."""

    value: float
    gradient: Floats


class Objective(Protocol):
    """A convex function of (P,) parameters. ``hessian`` is (P, P), at the same point."""

    def slope(self, theta: Floats) -> Slope: ...

    def hessian(self, theta: Floats) -> Floats: ...


def minimise(
    objective: Objective,
    start: Floats,
    lower: Floats | None = None,
    tolerance: float = 1e-9,
    max_steps: int = 200,
) -> Floats:
    """The minimiser (P,), found by projected Newton steps with a backtracking line search.

    ``lower`` (P,) bounds the parameters from below (-inf: free). Stops when the projected gradient
    is below ``tolerance`` everywhere or no step lowers the value. Problems with more than 700
    parameters go to L-BFGS-B, whose Hessian is never formed. Two-metric projection: Bertsekas,
    "Projected Newton methods for optimization problems with simple constraints", 1982.
    """
    bound = np.full_like(start, -np.inf) if lower is None else lower
    if len(start) > MAX_NEWTON_PARAMETERS:
        return _lbfgs(objective, start, bound)
    theta = np.maximum(start.astype(np.float64), bound)
    at = objective.slope(theta)
    for _ in range(max_steps):
        held = (theta <= bound + 1e-12) & (at.gradient > 0)
        free = ~held
        if not free.any() or np.abs(at.gradient[free]).max() <= tolerance:
            break
        step = np.zeros_like(theta)
        step[free] = _newton_step(objective.hessian(theta)[np.ix_(free, free)], at.gradient[free])
        moved = _backtrack(objective, theta, step, at, bound)
        if moved is None:
            break
        theta, at = moved
    return theta


def _newton_step(hessian: Floats, gradient: Floats) -> Floats:
    damping = 1e-12 * max(float(np.trace(hessian)) / len(gradient), 1e-12)
    eye = np.eye(len(gradient))
    for _ in range(12):
        try:
            step: Floats = -cho_solve(cho_factor(hessian + damping * eye), gradient)
            return step
        except LinAlgError:
            damping *= 100
    return -gradient


def _backtrack(
    objective: Objective, theta: Floats, step: Floats, at: Slope, bound: Floats
) -> tuple[Floats, Slope] | None:
    size = 1.0
    for _ in range(40):
        candidate = np.maximum(theta + size * step, bound)
        there = objective.slope(candidate)
        gain = float(at.gradient @ (theta - candidate))
        if np.isfinite(there.value) and there.value <= at.value - 1e-4 * gain and gain > 0:
            return candidate, there
        if gain < 1e-15:
            break
        size /= 2
    return None


def _lbfgs(objective: Objective, start: Floats, bound: Floats) -> Floats:
    def value_and_gradient(theta: Floats) -> tuple[float, Floats]:
        at = objective.slope(theta)
        return at.value, at.gradient

    found = minimize(
        value_and_gradient,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=[(b if np.isfinite(b) else None, None) for b in bound],
        options={"maxiter": 1000, "maxfun": 2000, "ftol": 1e-12, "gtol": 1e-7},
    )
    return np.asarray(found.x, dtype=np.float64)
