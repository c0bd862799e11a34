"""All parts for a time: ``python -m tests.chaos --seconds 3600 --seed 17``.

Damaged files all the time; beside them kills for two thirds of it, then two commands at once.
Failures are printed as they are found, a table of counts at the end; exit code 1 where any failed.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.chaos.processes import ROOT
from tests.chaos.reporting import options

PARTS: Mapping[str, str] = {
    "fuzz": "damaged files", "kills": "kills", "pairs": "two commands at once",
}  # fmt: skip
KILLING = 2 / 3


def begin(part: str, seed: int, seconds: float, to: Path) -> "subprocess.Popen[bytes]":
    words = ["--seed", str(seed), "--seconds", str(int(seconds)), "--to", str(to)]
    with to.with_suffix(".err").open("w") as errors:
        return subprocess.Popen(
            [sys.executable, "-m", f"tests.chaos.{part}", *words], cwd=ROOT, stderr=errors
        )


def everything(seed: int, seconds: float, folder: Path) -> dict[str, dict[str, object]]:
    """What each part counted, by its name."""
    counts = {part: folder / f"{part}.json" for part in PARTS}
    damaged = begin("fuzz", seed, seconds, counts["fuzz"])
    for part, share in (("kills", KILLING), ("pairs", 1 - KILLING)):
        begin(part, seed, seconds * share, counts[part]).wait()
    damaged.wait()
    for part, file in counts.items():
        if not file.is_file():
            told = file.with_suffix(".err").read_text(encoding="utf-8", errors="replace")
            print(f"FAILED {part} ended before its time:", told[-1000:], flush=True)
    return {
        part: json.loads(file.read_text(encoding="utf-8"))
        for part, file in counts.items()
        if file.is_file()
    }


def lines(found: Mapping[str, Mapping[str, object]]) -> list[str]:
    """The counts as a table of Markdown, and what each part tried."""
    rows = ["| part | seed | tried | failed |", "|---|---|---|---|"]
    notes = []
    for part, name in PARTS.items():
        counted = found.get(part)
        if counted is None:
            rows.append(f"| {name} | | not counted: the part ended before its time | |")
            continue
        failed = counted["failed"]
        assert isinstance(failed, (list, dict))
        rows.append(f"| {name} | {counted['seed']} | {counted['tried']} | {len(failed)} |")
        tried = counted.get("by_file", counted.get("by"))
        assert isinstance(tried, dict)
        notes.append(f"{name}: " + ", ".join(f"{k} {n}" for k, n in sorted(tried.items())))
        if "peak_bytes" in counted:
            memory = int(str(counted["peak_bytes"])) / 1e6
            notes[-1] += f"; slowest {counted['slowest_seconds']} s of processor time"
            notes[-1] += f", most memory {memory:.0f} MB"
    return [*rows, "", *notes]


def command() -> None:
    asked = options(__doc__).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = everything(asked.seed, asked.seconds, Path(folder))
    if asked.to:
        asked.to.write_text(json.dumps(found, indent=1), encoding="utf-8")
    print("\n".join(lines(found)))
    whole = len(found) == len(PARTS) and all(
        one["tried"] and not one["failed"] for one in found.values()
    )
    sys.exit(0 if whole else 1)


if __name__ == "__main__":
    command()
