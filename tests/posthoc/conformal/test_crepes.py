"""Prediction sets equal those of `crepes` where every group is one row."""

import json

import numpy as np
import pytest

from ensemble_kit.posthoc.conformal.nonconformity import nonconformity
from ensemble_kit.posthoc.conformal.sets import fit_sets
from ensemble_kit.posthoc.conformal.spec import SetSpec
from tests.oracles.conformal_rows import rows


@pytest.mark.parametrize("level", [0.8, 0.9, 0.95])
@pytest.mark.parametrize("by_class", [False, True])
@pytest.mark.parametrize("unit", ["weighted", "drawn"])
def test_sets_are_those_of_crepes(project, level, by_class, unit):
    golden = json.loads((project / "tests/golden/crepes_sets.json").read_text())
    p, labels = rows(600, 0)
    new, _ = rows(200, 1)
    fitted = fit_sets(p, labels, np.arange(600), SetSpec(level, "lac", by_class, unit))
    ours = nonconformity(new, "lac") <= fitted.thresholds
    theirs = np.array(golden[f"{'by class' if by_class else 'marginal'} {level}"], dtype=bool)
    assert np.array_equal(ours, theirs)
