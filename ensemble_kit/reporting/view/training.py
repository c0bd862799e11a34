"""Training curves, time and memory; the tuning study."""

from pydantic import Field

from ensemble_kit.reporting.view.base import Cell, Number, Table, Value


class FoldHistory(Value):
    """One line an epoch; ``phase_ends``: epochs after which the phase changed. ``series``:
    name (loss, val_loss …) -> value an epoch, None where not recorded. ``images_per_second``:
    median of the last phase's epochs."""

    fold: int
    phases: tuple[str, ...]
    series: dict[str, tuple[float | None, ...]]
    seconds: float | None = None
    images_per_second: float | None = None
    peak_memory_mb: float | None = None


class AgainstProbe(Value):
    """One figure of the network and of the linear probe on its frozen features, or those given."""

    metric: str
    network: Number
    probe: Number
    difference: Number


class MetadataAdds(Value):
    """One figure of a linear model with its metadata, and without."""

    metric: str
    with_metadata: Number
    without: Number
    difference: Number


class Training(Value):
    """``against_probe``: empty where the run has no linear probe. ``metadata_adds``: empty where
    no metadata joins features."""

    folds: tuple[FoldHistory, ...] = ()
    facts: Table = Table(columns=())
    against_probe: tuple[AgainstProbe, ...] = ()
    metadata_adds: tuple[MetadataAdds, ...] = ()


class Trial(Value):
    number: int
    state: str
    value: float | None = None
    pruned_after: int | None = None
    seconds: float | None = None
    parameters: dict[str, Cell] = Field(default_factory=dict)


class Tuning(Value):
    """``direction``: "minimize" or "maximize". ``logarithmic``: parameters that were drawn on a
    logarithmic scale. ``optimism``: inner minus nested outer score."""

    metric: str = ""
    direction: str = "minimize"
    trials: tuple[Trial, ...] = ()
    logarithmic: tuple[str, ...] = ()
    importance: dict[str, float] = Field(default_factory=dict)
    optimism: Number | None = None
    note: str = ""
