"""Nothing outside the registry knows a backbone's name."""

import re
from pathlib import Path

import ensemble_kit
from ensemble_kit.models import NAMES
from ensemble_kit.models.lines import LINES, paper_of
from ensemble_kit.models.papers import PAPERS

ROOT = Path(ensemble_kit.__file__).parent
DEFAULT = 'backbone: str = Field("xception", description='
"""What a study means that names no backbone: the one place outside."""


def test_no_other_room_knows_a_backbone():
    for path in sorted(ROOT.rglob("*.py")):
        if path.parent == ROOT / "models":
            continue
        text = path.read_text(encoding="utf-8").replace(DEFAULT, "").lower()
        assert not [
            name for name in NAMES if re.search(rf"\b{name}\b", text) and name != "compact"
        ], path
        assert '"compact"' not in text, path


def test_every_line_has_a_paper():
    for name in LINES:
        assert paper_of(name) in PAPERS
    assert paper_of("own.keras") == ""
