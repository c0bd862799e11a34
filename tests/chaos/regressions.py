"""Damage that once made more than a sentence: (file, command, mutations)."""

from tests.chaos.mutations import Mutation
from tests.chaos.trials import OUT, TABLE

ONCE: list[tuple[str, tuple[str, ...], tuple[Mutation, ...]]] = [
    (
        "a.npz",
        ("evaluate", "--predictions", "a.npz", *OUT),
        (
            Mutation("number", 0.58, b""),
            Mutation("number", 0.0, b"\xed\xa0\x80"),
            Mutation("number", 0.01, b""),
        ),
    ),
    (
        "runs/f/fold_0/done.json",
        (*TABLE, "--features", "features.npz", "--run", "f"),
        (Mutation("line", 0.4542161783434818, b""), Mutation("line", 0.4542161783434818, b"")),
    ),
    (
        "runs/a/folds.csv",
        ("report", "a", "--out", "out/p.html", "--trust-changed-files"),
        (Mutation("number", 0.4752948950069579, b"}\x07\x04h"),),
    ),
]
