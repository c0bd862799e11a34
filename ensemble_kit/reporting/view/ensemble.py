"""Members, weights, what each adds, optimism, prediction sets."""

from pydantic import Field

from ensemble_kit.reporting.view.base import Number, Table, Value


class Made(Value):
    """What a member is given and what it took: side of its images in pixels, blocks trained from
    the end (0: the head), seconds of training of all its folds. None: not so, or not known."""

    sees: str = ""
    image_size: int | None = None
    depth: int | None = None
    seconds: float | None = None


class Member(Value):
    """``weight``: share in the ensemble, None where the method has no weights. ``without``: change
    of the objective when the member is left out (positive: the ensemble gets worse). ``minus``:
    paired differences, member minus ensemble."""

    name: str
    weight: float | None = None
    figures: dict[str, Number] = Field(default_factory=dict)
    without: Number | None = None
    minus: dict[str, Number] = Field(default_factory=dict)
    made: Made = Made()


class Optimism(Value):
    """How much better a figure looks on the rows that fitted it."""

    metric: str
    in_sample: Number
    crossfitted: Number
    difference: Number


class Ensemble(Value):
    method: str
    description: str = ""
    objective: str = ""
    members: tuple[Member, ...] = ()
    candidates: Table = Table(columns=())
    error_correlation: tuple[tuple[float | None, ...], ...] = ()
    double_fault: tuple[tuple[float | None, ...], ...] = ()
    optimism: tuple[Optimism, ...] = ()


class SetRow(Value):
    """Coverage and mean size of the prediction sets of a class, a slice or the whole.

    coverage : by image. by_group : of a random image of a random group, which the sets aim at.
    """

    name: str
    kind: str = "class"
    coverage: Number
    size: Number
    by_group: Number = Number(value=None)
    note: str = ""


class Conformal(Value):
    """``sizes``: (labels in the set, images with a set of that size)."""

    method: str
    level: float = Field(ge=0, le=1)
    description: str = ""
    rows: tuple[SetRow, ...] = ()
    sizes: tuple[tuple[int, int], ...] = ()
