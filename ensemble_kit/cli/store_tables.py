"""What `store` prints."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ensemble_kit.cli.console import print_json, say
from ensemble_kit.core.errors import count
from ensemble_kit.core.wording import size_text
from ensemble_kit.progress import tables
from ensemble_kit.stores.maintenance import Pruned, Stored, Verified


def print_stores(place: Path, stores: Sequence[Stored], *, as_json: bool) -> None:
    total = sum(stored.n_bytes for stored in stores)
    if as_json:
        listed = [_facts(stored) for stored in stores]
        print_json({"store": str(place), "bytes": total, "stores": listed})
        return
    drawn = tables.table(
        "store", "what", "state", "size", "last use (UTC)", numbers=False, prose=[1]
    )
    for stored in stores:
        state = f"{stored.state}, in use" if stored.busy else stored.state
        used = datetime.fromtimestamp(stored.used, UTC).strftime("%Y-%m-%d %H:%M")
        drawn.add_row(stored.name, f"{stored.kind}: {stored.what}", state,
                      size_text(stored.n_bytes), used)  # fmt: skip
    if not stores:
        print_no_stores(place)
        return
    tables.show(drawn)
    say(f"{place}: {count(len(stores), 'store')}, {size_text(total)}")


def print_no_stores(place: Path) -> None:
    say(
        f"{place}: no store there; `cv` and `tune` make stores of decoded pixels and activations "
        "in the folder that --store names (default: store/)"
    )


def print_verified(found: Verified, *, as_json: bool) -> None:
    if as_json:
        damaged = [{"store": str(path), "what": what} for path, what in found.damaged]
        sound, busy = ([_name(s) for s in group] for group in (found.sound, found.busy))
        print_json({"sound": sound, "damaged": damaged, "busy": busy})
        return
    for stored in found.sound:
        ending = " (what is unfinished is checked when it is continued)"
        say(f"{_name(stored)}: sound{ending if stored.state == 'partial' else ''}")
    for path, what in found.damaged:
        say(f"{path}: damaged: {what}")
    for stored in found.busy:
        say(f"{_name(stored)}: in use by another process, not read")


def print_pruned(done: Pruned, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        removed = [{"store": _name(s), "bytes": n_bytes} for s, n_bytes in done.removed]
        busy = [_name(stored) for stored in done.busy]
        print_json({"dry_run": dry_run, "removed": removed, "freed": done.freed,
                     "left": done.left, "busy": busy})  # fmt: skip
        return
    verb = "would be removed" if dry_run else "removed"
    for stored, n_bytes in done.removed:
        say(f"{_name(stored)}: {verb}, {size_text(n_bytes)}")
    freed = "would be freed" if dry_run else "freed"
    say(f"{size_text(done.freed)} {freed}, {size_text(done.left)} left")


def _facts(stored: Stored) -> dict[str, Any]:
    used = datetime.fromtimestamp(stored.used, UTC).isoformat(timespec="seconds")
    plain = {"kind": stored.kind, "name": stored.name, "state": stored.state, "busy": stored.busy,
             "bytes": stored.n_bytes, "unfinished_bytes": stored.partial_bytes,
             "used": used}  # fmt: skip
    return plain | stored.facts


def _name(stored: Stored) -> str:
    return f"{stored.kind}/{stored.name}"
