"""Groups needed for an interval of a wanted width."""

import numpy as np
import pytest

from ensemble_kit.core.records import Estimate
from ensemble_kit.metrics.jackknife import t_interval
from ensemble_kit.metrics.planning import groups_needed


def test_half_the_width_needs_four_times_the_groups() -> None:
    found = Estimate(0.8, 0.7, 0.9, 0.95, "", "group", 25)
    assert groups_needed(found, 0.2) == 25
    assert groups_needed(found, 0.1) == 100
    assert groups_needed(found, 5.0) == 5


def test_without_an_interval_there_is_no_plan() -> None:
    assert groups_needed(Estimate(0.8, None, None, 0.95, "", "group", 3), 0.1) is None
    with pytest.raises(ValueError, match="above 0"):
        groups_needed(Estimate(0.8, 0.7, 0.9, 0.95, "", "group", 25), 0.0)


def test_no_figure_is_planned_better_than_all_groups_right_allow() -> None:
    sure = Estimate(0.99, 0.98, 1.0, 0.95, "", "group", 100)
    assert groups_needed(sure, 0.1) == 36  # 4 by the root alone
    for n, narrow in ((35, False), (36, True)):
        perfect = t_interval(1.0, np.ones(n), n)
        assert perfect.high is not None
        assert perfect.low is not None
        assert (perfect.high - perfect.low <= 0.1) == narrow
