"""The intervals of calibration errors cover what they say; those they replaced do not."""

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "coverage.py"


@pytest.mark.slow
def test_inverted_intervals_cover_a_calibrated_model_and_basic_ones_do_not() -> None:
    module: dict[str, Any] = runpy.run_path(str(SCRIPT))
    found = module["simulate"](module["DESIGNS"][3], 60, 200, True, seed=11)
    for key in (("ece", ""), ("ece_classwise", "")):
        before, after = np.nanmean(found[key], axis=0)[:2]
        # 60 sets: a true coverage of 95 % gives 0.85 or more in 999 of 1,000 repeats
        assert after >= 0.85, key
        assert before < 0.85, key
