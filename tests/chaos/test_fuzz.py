"""Damaged files: a few fresh ones, and every one that once did harm."""

from pathlib import Path

import pytest

from tests.chaos.fuzz import fuzz_in_processes
from tests.chaos.mutations import Mutation
from tests.chaos.regressions import ONCE
from tests.chaos.trials import Trial, attempt, choices

CASES = 60


@pytest.mark.slow
def test_no_damaged_file_gets_more_than_a_sentence(workplace: Path) -> None:
    """In a process of its own: the memory counted is that of the commands alone."""
    found = fuzz_in_processes(workplace, number=20, seconds=300, cases=CASES)
    assert not found.failed, found.failed
    assert found.tried == CASES


@pytest.mark.parametrize(("file", "words", "damage"), ONCE)
def test_what_once_did_harm(
    workplace: Path, file: str, words: tuple[str, ...], damage: tuple[Mutation, ...]
) -> None:
    _, faults = attempt(workplace, Trial(file, words, damage))
    assert not faults


@pytest.mark.parametrize("words", sorted({words for _, words in choices()}), ids=" ".join)
def test_what_is_whole_passes(workplace: Path, words: tuple[str, ...]) -> None:
    outcome, faults = attempt(workplace, Trial("map.csv", words, ()))
    assert outcome.code == 0, outcome
    assert not faults
