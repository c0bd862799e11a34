"""What is predicted of new images: one row an image, as values and as a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ensemble_kit.core.errors import StudyError, some
from ensemble_kit.core.names import parted_by
from ensemble_kit.core.records import Bools, Floats, Ints, Strings

if TYPE_CHECKING:
    import pandas as pd

BOUNDS = ("spread", "novelty", "set", "confidence")
"""What a row can be rejected for: more than the bound, or for confidence less."""


@dataclass(frozen=True, eq=False)
class Predicted:
    """Rows of new images.

    image_ids : (n,) str. probabilities : (n, C), rows sum to 1. decisions : (n,) class index.
    sets : (n, C) membership. spread : (n,) mutual information between the fold models, nats.
    novelty : (n,) percentile 0..100, NaN where the run kept no features. rejected : (n,) str,
    why a row lies beyond the bounds given, or "". skipped : what was left out, in sentences.
    """

    class_names: tuple[str, ...]
    image_ids: Strings
    probabilities: Floats
    decisions: Ints
    sets: Bools
    spread: Floats
    novelty: Floats
    rejected: Strings
    bounded: bool = False
    skipped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.image_ids)

    def set_texts(self) -> list[str]:
        """The classes of each set, likeliest first, parted by blanks (see ``parted_by``)."""
        names, between = np.array(self.class_names), parted_by(self.class_names)
        order = np.argsort(-self.probabilities, axis=1, kind="stable")
        return [
            between.join(names[c] for c in rank if inside[c])
            for rank, inside in zip(order, self.sets, strict=True)
        ]

    def to_frame(self) -> "pd.DataFrame":
        """ISIC's submission columns first, then decision, set, spread, novelty, rejected."""
        import pandas as pd

        frame = pd.DataFrame(self.probabilities, columns=list(self.class_names))
        frame.insert(0, "image", self.image_ids)
        more: dict[str, Any] = {
            "decision": np.array(self.class_names)[self.decisions],
            "set": self.set_texts(),
            "spread": self.spread,
            "novelty": self.novelty,
        }
        if self.bounded:
            more["rejected"] = self.rejected
        for name, values in more.items():
            frame[_free(name, self.class_names)] = values
        return frame


def joined(parts: Sequence[Predicted]) -> Predicted:
    """Pieces of one prediction as one."""
    first = parts[0]
    names = ("image_ids", "probabilities", "decisions", "sets", "spread", "novelty", "rejected")
    arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    skipped = tuple(text for part in parts for text in part.skipped)
    return Predicted(
        class_names=first.class_names,
        **arrays,
        bounded=first.bounded,
        skipped=skipped,
        notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
    )


@dataclass(frozen=True)
class Bounds:
    """Limits beyond which a row is rejected: name of ``BOUNDS`` -> number."""

    limits: tuple[tuple[str, float], ...] = ()

    def reasons(self, row: dict[str, float]) -> str:
        found = []
        for name, limit in self.limits:
            beyond = row[name] < limit if name == "confidence" else row[name] > limit
            if beyond:
                found.append(f"{name} {row[name]:.4g}")
        return "; ".join(found)


def parse_bounds(text: str) -> Bounds:
    """``novelty=99,spread=0.3`` as bounds; StudyError names what is no bound."""
    limits = []
    for part in (piece.strip() for piece in text.split(",")):
        if not part:
            continue
        name, equals, number = part.partition("=")
        try:
            value = float(number)
        except ValueError:
            value = float("nan")
        if name.strip() not in BOUNDS or not equals or not np.isfinite(value):
            raise StudyError(
                f"--reject {part!r}: give {some(BOUNDS)} and a number, such as "
                "novelty=99,confidence=0.5"
            )
        limits.append((name.strip(), value))
    return Bounds(tuple(limits))


def _free(name: str, classes: tuple[str, ...]) -> str:
    """A column's name that no class has."""
    while name in classes:
        name = f"{name}_column"
    return name
