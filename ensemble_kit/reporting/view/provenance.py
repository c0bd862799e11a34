"""How the run was made."""

from pydantic import Field

from ensemble_kit.reporting.view.base import Table, Value


class ChecklistItem(Value):
    """One item of a reporting guideline. ``filled``: "recorded", "partly" or "open"; ``answer``:
    the recorded fact, or what the authors have to add."""

    guideline: str
    item: str
    topic: str
    asks: str
    filled: str
    answer: str


class Provenance(Value):
    kind: str
    created: str
    finished: str = ""
    seed: int = 0
    spec_digest: str = ""
    git_commit: str = ""
    git_dirty: bool | None = None
    versions: dict[str, str] = Field(default_factory=dict)
    device: dict[str, str] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()
    facts: Table = Table(columns=())
    study: str = ""
    files: dict[str, str] = Field(default_factory=dict)
    checklist: tuple[ChecklistItem, ...] = ()
