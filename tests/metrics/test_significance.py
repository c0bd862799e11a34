import numpy as np
import pytest
from scipy.stats import chi2

from ensemble_kit.metrics.significance import corrected_resampled_t, holm, mcnemar


def decisions(both: int, first: int, second: int, none: int) -> tuple[np.ndarray, np.ndarray]:
    counts = (both, first, second, none)
    return np.repeat([True, True, False, False], counts), np.repeat(
        [True, False, True, False], counts
    )


def test_mcnemar_exact_by_hand() -> None:
    found = mcnemar(*decisions(10, 1, 5, 4))
    assert (found.first_only, found.second_only) == (1, 5)
    assert found.p_value == pytest.approx(2 * (1 + 6) / 64)
    assert mcnemar(*decisions(3, 0, 0, 2)).p_value == 1


def test_one_image_a_group_gives_mcnemars_chi_square() -> None:
    first, second = decisions(10, 12, 25, 4)
    found = mcnemar(first, second, np.arange(len(first)))
    assert found.clustered_p_value == pytest.approx(chi2.sf((12 - 25) ** 2 / 37, 1))


def test_copies_of_an_image_add_no_evidence_when_grouped() -> None:
    first, second = (np.repeat(x, 4) for x in decisions(10, 2, 9, 4))
    groups = np.repeat(np.arange(25), 4)
    once = mcnemar(*decisions(10, 2, 9, 4), np.arange(25))
    copied = mcnemar(first, second, groups)
    assert copied.clustered_p_value == pytest.approx(once.clustered_p_value)
    assert copied.p_value < once.p_value / 10


def test_corrected_t_by_hand() -> None:
    differences = np.array([0.01, 0.03, 0.02, 0.05, 0.04])
    found = corrected_resampled_t(differences)
    # variance 2.5e-4, (1/5 + 1/4) · 2.5e-4 = 1.125e-4
    assert found.statistic == pytest.approx(0.03 / 1.125e-4**0.5)
    assert found.p_value == pytest.approx(0.04742, abs=1e-5)
    assert found.low < 0.03 < found.high
    plain = corrected_resampled_t(differences, test_share=0.0)
    assert plain.statistic > found.statistic
    assert corrected_resampled_t(np.zeros(3)).p_value == 1


def test_holm_by_hand() -> None:
    found = holm(np.array([0.01, 0.04, 0.03, 0.005]))
    assert found == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.9, 0.8])) == pytest.approx([1, 1])
    assert len(holm(np.empty(0))) == 0
