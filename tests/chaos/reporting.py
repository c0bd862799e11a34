"""The command line that the parts of the harness share: a seed, a time, a file for the counts."""

import argparse
import json
import random
from collections.abc import Mapping
from pathlib import Path


def options(about: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--to", type=Path)
    return parser


def tell(found: Mapping[str, object], to: Path | None) -> None:
    """Keep the counts in a file where one is named, else print them."""
    text = json.dumps(found, indent=1)
    if to:
        to.write_text(text, encoding="utf-8")
    else:
        print(text)
