"""Minimise a smooth convex function, with lower bounds where there are any."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.linalg import LinAlgError, cholesky, solve_triangular
from scipy.optimize import lsq_linear, minimize, nnls

from ensemble_kit.core.records import Floats

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
    """The minimiser (P,), found by Newton steps with a backtracking line search.

    ``lower`` (P,) bounds the parameters from below (-inf: free); each step then minimises the
    quadratic model within the bounds, so that the active ones are found with it. Stops when the
    projected gradient is below ``tolerance`` everywhere or no step lowers the value. Problems with
    more than 700 parameters go to L-BFGS-B, whose Hessian is never formed.
    """
    bound = np.full_like(start, -np.inf) if lower is None else lower
    if len(start) > MAX_NEWTON_PARAMETERS:
        return _lbfgs(objective, start, bound)
    theta = np.maximum(start.astype(np.float64), bound)
    at = objective.slope(theta)
    for _ in range(max_steps):
        held = (theta <= bound) & (at.gradient > 0)
        if held.all() or np.abs(at.gradient[~held]).max() <= tolerance:
            break
        step = _newton_step(objective.hessian(theta), at.gradient, bound - theta)
        moved = _backtrack(objective, theta, step, at, bound)
        if moved is None:
            break
        theta, at = moved
    return theta


def _newton_step(hessian: Floats, gradient: Floats, room: Floats) -> Floats:
    """The minimiser of the quadratic model over steps of at least ``room`` (≤ 0)."""
    damping = 1e-12 * max(float(np.trace(hessian)) / len(gradient), 1e-12)
    eye = np.eye(len(gradient))
    for _ in range(12):
        try:
            root: Floats = cholesky(hessian + damping * eye)
            break
        except LinAlgError:
            damping *= 100
    else:
        return np.maximum(-gradient, room)
    target = solve_triangular(root, -gradient, trans="T")
    step: Floats = solve_triangular(root, target)
    if (step >= room).all():
        return step
    if np.isfinite(room).all():
        step = nnls(root, target - root @ room)[0] + room
        return step
    return np.asarray(lsq_linear(root, target, (room, np.inf), method="bvls", tol=1e-14).x)


def _backtrack(
    objective: Objective, theta: Floats, step: Floats, at: Slope, bound: Floats
) -> tuple[Floats, Slope] | None:
    size = 1.0
    for _ in range(40):
        candidate = np.maximum(theta + size * step, bound)
        there = objective.slope(candidate)
        gain = float(at.gradient @ (theta - candidate))
        if gain <= 1e-16:
            break
        if np.isfinite(there.value) and there.value <= at.value - 1e-4 * gain:
            return candidate, there
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
