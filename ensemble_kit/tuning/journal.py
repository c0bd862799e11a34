"""The journal of a search: lines that Optuna appends, one writer at a time, and their order."""

import hashlib
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock

from ensemble_kit.core.disk import writing
from ensemble_kit.core.errors import SearchError, reason

JOURNAL = "trials.journal"
CHUNK = 1 << 16
CREATE_STUDY, DELETE_STUDY, CREATE_TRIAL, SET_STATE = 0, 1, 4, 6
"""Codes of Optuna's lines (``op_code``)."""


class JournalFile(optuna.storages.journal.JournalFileBackend):  # type: ignore[misc]
    """Optuna's journal, written as every file of ours: a full disk is an OutputError."""

    def __init__(self, journal: Path) -> None:
        super().__init__(str(journal), lock_obj=JournalTurn(journal))
        self._journal = journal

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        self._check_there()
        try:
            yield from super().read_logs(log_number_from)
        except ValueError as error:
            raise damage(self._journal, error) from None

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        self._check_there()
        with writing(self._journal):
            super().append_logs(logs)

    def _check_there(self) -> None:
        """SearchError where the file is gone, or shorter than what was read of it."""
        read = self._log_number_offset[next(reversed(self._log_number_offset))]
        try:
            if self._journal.stat().st_size >= read:
                return
        except OSError:
            pass
        raise SearchError(
            f"{self._journal} was removed, replaced or cut while the search was running: leave it "
            "where it is, and give the command again"
        )


class JournalTurn:
    """One writer of a journal at a time, for Optuna in place of its own lock: that one is a link,
    which a killed process leaves and others wait for, without end where the path is relative.

    Before each turn a last line that a full disk or a kill cut off is dropped; what is appended to
    such a line makes the whole journal unreadable.
    """

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._lock = FileLock(journal.with_name("trials.lock"))

    def acquire(self) -> bool:
        self._lock.acquire()
        try:
            if self._journal.exists():
                _drop_cut_line(self._journal)
        except BaseException:
            self._lock.release()
            raise
        return True

    def release(self) -> None:
        self._lock.release()


def _drop_cut_line(journal: Path) -> None:
    with journal.open("r+b") as file:
        end = file.seek(0, os.SEEK_END)
        at, tail = end, b""
        while at and b"\n" not in tail:
            at = max(0, at - CHUNK)
            file.seek(at)
            tail = file.read(end - at)
        whole = at + tail.rfind(b"\n") + 1
        if whole < end:
            file.truncate(whole)


def check_order(journal: Path) -> None:
    """ValueError, with the number of the line, where one speaks of a study or trial that no earlier
    line creates, or is a second copy of one that can be written only once. Optuna passes over such
    lines in silence, and trials that were cut out, copied or moved would be missing or others."""
    studies: dict[str, int] = {}
    made = trials = 0
    once: set[bytes] = set()
    for number, line in enumerate(_whole_lines(journal), 1):
        found = json.loads(line)
        code = found["op_code"]
        if code == CREATE_STUDY:
            made += found["study_name"] not in studies
            studies.setdefault(found["study_name"], made - 1)
        elif found.get("study_id", 0) not in range(made):
            raise ValueError(f"line {number} is of a study that no line before it creates")
        elif code == DELETE_STUDY:
            studies = {name: own for name, own in studies.items() if own != found["study_id"]}
        elif code == CREATE_TRIAL:
            trials += 1
        elif "trial_id" in found and found["trial_id"] not in range(trials):
            raise ValueError(f"line {number} is of a trial that no line before it creates")
        if not all(map(math.isfinite, found.get("values") or ())):
            raise ValueError(f"line {number} has a score that is no finite number")
        if code in (CREATE_STUDY, SET_STATE):
            digest = hashlib.blake2b(line, digest_size=16).digest()
            if digest in once:
                raise ValueError(f"line {number} stands there twice")
            once.add(digest)


def damage(journal: Path, error: Exception) -> SearchError:
    """What to say of a journal that holds what Optuna never wrote."""
    return SearchError(
        f"{journal} is damaged ({reason(error):.200}); restore it, or start again with another "
        "--name"
    )


def _whole_lines(journal: Path) -> Iterator[bytes]:
    """The lines, without a last one that is just being written."""
    if journal.exists():
        with journal.open("rb") as file:
            yield from (line for line in file if line.endswith(b"\n"))
