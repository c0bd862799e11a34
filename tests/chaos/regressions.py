"""Damage that once made more than a sentence: (file, command, mutations)."""

from tests.chaos.mutations import Mutation

ONCE: list[tuple[str, tuple[str, ...], tuple[Mutation, ...]]] = []
