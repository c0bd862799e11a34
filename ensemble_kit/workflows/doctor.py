"""What is here to work with: versions, processor, cards, weights, disk, and what each command will
use of it."""

import platform
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from ensemble_kit.core.disk import free_bytes
from ensemble_kit.core.machine import (
    cores,
    free_memory,
    graphics_cards,
    memory,
    multiplies_bfloat16,
    processor,
    processor_words,
)
from ensemble_kit.models import NAMES, find_backbone
from ensemble_kit.models.device import configured_backend, policy_for
from ensemble_kit.models.weights import fetched
from ensemble_kit.reporting.pdf import find_browser

PACKAGE = "ensemble-kit"
OF_NO_COMMAND = ("dev", "docs", "test")
"""Extras that no command asks for."""


@dataclass(frozen=True)
class Package:
    """A package that is asked for. version : "" where it is not installed. extra : "" where every
    command needs it."""

    name: str
    version: str
    extra: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """machine, uses : what -> in words. disk : folder -> free bytes. weights_there,
    weights_absent : names of backbones. missing : packages that every command needs and that are
    not installed."""

    machine: Mapping[str, str]
    packages: tuple[Package, ...]
    weights_there: tuple[str, ...]
    weights_absent: tuple[str, ...]
    disk: Mapping[str, int]
    uses: Mapping[str, str]

    @property
    def missing(self) -> tuple[str, ...]:
        return tuple(p.name for p in self.packages if not (p.extra or p.version))


def diagnose(runs_dir: Path, store_dir: Path, *, load: bool = False) -> Diagnosis:
    """Look at this machine. load : also start the framework, to hear which device it finds
    (seconds)."""
    packages = _packages()
    there = {package.name for package in packages if package.version}
    published = [name for name in NAMES if find_backbone(name).facts.weights_file]
    have = tuple(name for name in published if fetched(find_backbone(name)))
    return Diagnosis(
        machine=_machine(),
        packages=packages,
        weights_there=have,
        weights_absent=tuple(name for name in published if name not in have),
        disk={str(place): free_bytes(place) for place in dict.fromkeys((runs_dir, store_dir))},
        uses=_uses(there, load=load),
    )


def _machine() -> dict[str, str]:
    words = processor_words()
    told = bool(words)
    has = {True: "yes", False: "no"} if told else {True: "not told", False: "not told"}
    cards = graphics_cards()
    return {
        "system": platform.platform(),
        "Python": f"{platform.python_version()} ({sys.executable})",
        "processor": f"{processor()}, {cores()} cores to use",
        "AVX2": has["avx2" in words],
        "AVX-512": has["avx512f" in words],
        "bfloat16": has[multiplies_bfloat16()] if "avx2" in words else "not told",
        "memory": f"{memory() / 1e9:.1f} GB, {free_memory() / 1e9:.1f} GB free",
        "GPUs": "; ".join(cards) or "none seen by nvidia-smi",
    }


def _packages() -> tuple[Package, ...]:
    """What the installed package asks for, by itself and for its extras."""
    try:
        asked = metadata.requires(PACKAGE) or []
    except metadata.PackageNotFoundError:
        return ()
    found: dict[str, Package] = {}
    for line in asked:
        name = re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0]
        marker = re.search(r"extra == ['\"]([^'\"]+)", line)
        extra = marker.group(1) if marker else ""
        if extra in OF_NO_COMMAND or name == PACKAGE or name in found:
            continue
        found[name] = Package(name, _version(name), extra)
    return tuple(found.values())


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _uses(there: set[str], *, load: bool) -> dict[str, str]:
    """Command -> what it will use here."""
    formats = {"onnx": "onnxruntime", "litert": "ai-edge-litert", "openvino": "openvino"}
    written = ["keras", "savedmodel", *(f for f, package in formats.items() if package in there)]
    pairs = (
        "near-duplicates laid on each other by OpenCV"
        if "opencv-python-headless" in there
        else "near-duplicates by features alone, as OpenCV is absent"
    )
    return {
        "cv, tune": _device(load=load),
        "explain, predict, validate": f"the same device; {cores()} decoding threads",
        "evaluate, ensemble": "NumPy on the processor; no framework is loaded",
        "report": "no framework; " + (
            f"--pdf by {Path(browser).name}" if (browser := find_browser())
            else "--pdf would need Chromium or Chrome, which is not there"),
        "check --run": f"labels; {pairs}",
        "export": f"formats {', '.join(written)}",
        "tune --sampler": "tpe, random" + (", gp" if "torch" in there else "; gp needs torch")
        + ("; --storage in PostgreSQL" if "psycopg" in there else ""),
    }  # fmt: skip


def _device(*, load: bool) -> str:
    backend = configured_backend()
    if load:
        from ensemble_kit.models.device import prepare

        found = prepare(0)
        return f"Keras on {found.backend}, {found.kind}, {found.precision}"
    if graphics_cards():
        return f"Keras on {backend}; whether it finds the GPU: doctor --load"
    return f"Keras on {backend}, cpu, {policy_for('auto', 'cpu')}, {cores()} threads"
