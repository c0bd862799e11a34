"""How these commands are called here, for sentences that say what to give next."""

import sys
from pathlib import Path


def program() -> str:
    """``python cli.py`` in a checkout whose file was run, else the installed ``ensemble-kit``."""
    return "python cli.py" if Path(sys.argv[0]).name == "cli.py" else "ensemble-kit"
