"""Candidates fitted side by side, and the weighted mean of them that an ensemble is."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ensemble_kit.core.records import Floats
from ensemble_kit.posthoc.calibration.prior import PriorShift
from ensemble_kit.posthoc.convex.simplex import normalised
from ensemble_kit.posthoc.crossfit import Rows
from ensemble_kit.posthoc.selection.catalogue import (
    CALIBRATORS,
    Candidate,
    Fitted,
    methods_for,
    step_from_json,
    step_to_json,
)


@dataclass(frozen=True, eq=False)
class Chain:
    """One fitted candidate: members (M, n, C) -> ensembled, calibrated probabilities (n, C)."""

    candidate: Candidate
    ensembler: Fitted
    calibrator: Fitted

    @property
    def n_parameters(self) -> int:
        return self.ensembler.n_parameters + self.calibrator.n_parameters

    def apply(self, members: Floats) -> Floats:
        return self.calibrator.apply(self.ensembler.apply(members))

    def to_json(self) -> dict[str, Any]:
        return {
            "method": self.candidate.method,
            "calibrator": self.candidate.calibrator,
            "ensembler": step_to_json(self.ensembler),
            "calibration": step_to_json(self.calibrator),
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Chain":
        return cls(
            Candidate(values["method"], values["calibrator"]),
            step_from_json(values["ensembler"]),
            step_from_json(values["calibration"]),
        )


@dataclass(frozen=True, eq=False)
class FittedCandidates:
    """The chains of all candidates, fitted on the same rows; ``apply`` gives (n, Q, C)."""

    chains: tuple[Chain, ...]

    def apply(self, members: Floats) -> Floats:
        pooled: dict[str, Floats] = {}
        outputs = []
        for chain in self.chains:
            method = chain.candidate.method
            if method not in pooled:
                pooled[method] = chain.ensembler.apply(members)
            outputs.append(chain.calibrator.apply(pooled[method]))
        return np.stack(outputs, axis=1)


@dataclass(frozen=True, eq=False)
class Combination:
    """Σ_q weights_q · chain_q(members), then the prior shift: (M, n, C) -> (n, C).

    chains : one or several fitted candidates. weights : (Q,) on the simplex.
    """

    chains: tuple[Chain, ...]
    weights: Floats
    shift: PriorShift | None = None

    def apply(self, members: Floats) -> Floats:
        outputs = FittedCandidates(self.chains).apply(members)
        mixed = outputs[:, 0] if len(self.chains) == 1 else mixed_by(self.weights, outputs)
        return mixed if self.shift is None else self.shift.apply(mixed)

    def to_json(self) -> dict[str, Any]:
        return {
            "parts": [
                {"weight": float(weight), **chain.to_json()}
                for weight, chain in zip(self.weights, self.chains, strict=True)
            ],
            "prior_shift": None if self.shift is None else step_to_json(self.shift),
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Combination":
        """What :meth:`to_json` wrote, or the single chain of format version 1."""
        parts = values.get("parts", [{"weight": 1.0, **values}])
        shift = values["prior_shift"]
        return cls(
            tuple(Chain.from_json(part) for part in parts),
            np.array([part["weight"] for part in parts], dtype=np.float64),
            None if shift is None else step_from_json(shift),
        )


def mixed_by(weights: Floats, outputs: Floats) -> Floats:
    """(n, C) weighted mean of the candidates' probabilities (n, Q, C)."""
    return normalised(np.einsum("q,nqc->nc", weights, outputs))


def fit_candidates(
    rows: Rows, candidates: tuple[Candidate, ...], objective: str = "log_loss"
) -> FittedCandidates:
    """Fit every candidate: its method on the members, its calibrator on what that gives.

    A method is fitted once for all its calibrators.
    """
    rows = rows.with_inner_folds()
    methods = methods_for(objective)
    ensemblers: dict[str, Fitted] = {}
    pooled: dict[str, Floats] = {}
    chains = []
    for candidate in candidates:
        name = candidate.method
        if name not in ensemblers:
            ensemblers[name] = methods[name](rows)
            pooled[name] = ensemblers[name].apply(rows.members)
        calibrator = CALIBRATORS[candidate.calibrator](pooled[name], rows.labels, rows.fold)
        chains.append(Chain(candidate, ensemblers[name], calibrator))
    return FittedCandidates(tuple(chains))
