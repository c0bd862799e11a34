"""Many candidates fitted side by side, so that each method is fitted once for all calibrators."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ensemble_kit.core.records import Floats
from ensemble_kit.posthoc.calibration.prior import PriorShift
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
    """Members (M, n, C) -> ensembled, calibrated probabilities (n, C)."""

    candidate: Candidate
    ensembler: Fitted
    calibrator: Fitted
    shift: PriorShift | None = None

    @property
    def n_parameters(self) -> int:
        return self.ensembler.n_parameters + self.calibrator.n_parameters

    def apply(self, members: Floats) -> Floats:
        calibrated = self.calibrator.apply(self.ensembler.apply(members))
        return calibrated if self.shift is None else self.shift.apply(calibrated)

    def to_json(self) -> dict[str, Any]:
        return {
            "method": self.candidate.method,
            "calibrator": self.candidate.calibrator,
            "ensembler": step_to_json(self.ensembler),
            "calibration": step_to_json(self.calibrator),
            "prior_shift": None if self.shift is None else step_to_json(self.shift),
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Chain":
        shift = values["prior_shift"]
        return cls(
            Candidate(values["method"], values["calibrator"]),
            step_from_json(values["ensembler"]),
            step_from_json(values["calibration"]),
            None if shift is None else step_from_json(shift),
        )


@dataclass(frozen=True, eq=False)
class Bank:
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


def fit_bank(rows: Rows, candidates: tuple[Candidate, ...], objective: str = "log_loss") -> Bank:
    """Fit every candidate: its method on the members, its calibrator on what that gives."""
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
    return Bank(tuple(chains))
