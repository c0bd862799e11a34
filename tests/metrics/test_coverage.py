"""The intervals cover what they say; those of the per-image bootstrap do not."""

import runpy
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "coverage.py"


@pytest.mark.slow
def test_group_intervals_cover_and_image_intervals_do_not() -> None:
    module: dict[str, Any] = runpy.run_path(str(SCRIPT))
    coverage = module["simulate"](150, 300, seed=11)
    for key in (("roc_auc_ovr", ""), ("balanced_accuracy", "")):
        # 150 sets: a true coverage of 95 % gives 0.90 or more in 998 of 1,000 repeats
        assert coverage.groups[key] >= 0.90, key
        assert coverage.images[key] < 0.87, key
