"""Graphics cards of this machine: every training process has one of those named, and no other."""

import os
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ensemble_kit.core.errors import StudyError, some
from ensemble_kit.core.machine import graphics_cards
from ensemble_kit.core.orphans import end_with

VISIBLE, ORDER = "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"
_held: list[Any] = []


def visible_cards() -> list[str] | None:
    """What CUDA_VISIBLE_DEVICES leaves to see (a scheduler sets it, say); None where it is not
    set."""
    text = os.environ.get(VISIBLE)
    if text is None:
        return None
    names = [name.strip() for name in text.split(",")]
    hidden = next((i for i, name in enumerate(names) if name in ("", "-1")), len(names))
    return names[:hidden]  # CUDA too ignores what follows


def cards_of(text: str) -> tuple[int, ...]:
    """The numbers in ``0,1``, as `nvidia-smi` counts, or among those that CUDA_VISIBLE_DEVICES
    leaves. StudyError where one is not there."""
    if not text:
        return ()
    words = [word.strip() for word in text.split(",")]
    if not all(word.isascii() and word.isdigit() for word in words):
        raise StudyError(f"--devices {text!r}: give the numbers of cards, as in --devices 0,1")
    cards = tuple(int(word) for word in words)
    if len(set(cards)) < len(cards):
        raise StudyError(f"--devices {text}: a card is named twice; --jobs sets processes a card")
    visible = visible_cards()
    there = len(graphics_cards()) if visible is None else len(visible)
    absent = [str(card) for card in cards if card >= there]
    if absent:
        found = f"has {there}, counted from 0" if there else "has none that nvidia-smi lists"
        if visible is not None:
            found = f"lets this command see {there} ({VISIBLE}={os.environ[VISIBLE]})"
        raise StudyError(
            f"--devices {text}: there is no card {some(absent)}, this machine {found}; `doctor` "
            "lists them"
        )
    return cards


def begin_on_a_card(parent: int, cards: tuple[int, ...], processes: int, folder: Path) -> None:
    """Begin a process as :func:`end_with` does and leave it one card to see.

    processes : on each card. folder : of this command's locks; a lock is held until the process
    ends, so a card is free again for the process that takes its place.
    """
    end_with(parent)
    for place in range(processes):
        for card in cards:
            lock = FileLock(folder / f"card_{card}_{place}.lock")
            try:
                lock.acquire(timeout=0)
            except Timeout:
                continue
            _held.append(lock)
            if (visible := visible_cards()) is None:
                os.environ |= {VISIBLE: str(card), ORDER: "PCI_BUS_ID"}  # numbers of nvidia-smi
            else:
                os.environ[VISIBLE] = visible[card]
            return
    raise RuntimeError(f"more processes than {processes} on each of the cards {cards}")
