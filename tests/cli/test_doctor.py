"""`doctor`: what is here, what is missing, what each command will use."""

import json
from importlib import metadata
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ensemble_kit.cli.app import app
from ensemble_kit.core import machine
from ensemble_kit.core.errors import MachineError
from ensemble_kit.workflows import doctor


def found(*words: str) -> dict[str, dict[str, str]]:
    done = CliRunner().invoke(app, ["doctor", "--json", *words], catch_exceptions=False)
    assert done.exit_code == 0
    return json.loads(done.stdout)


def test_versions_are_those_installed_and_extras_are_told_apart() -> None:
    packages = {p["name"]: p for p in found()["packages"]}
    assert packages["numpy"]["version"] == metadata.version("numpy")
    assert packages["numpy"]["extra"] == ""
    assert packages["torch"]["extra"] == "gp"
    assert "pytest" not in packages


def test_a_missing_package_is_named_with_exit_code_2(monkeypatch: pytest.MonkeyPatch) -> None:
    here = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda name: "" if name == "scipy" else here(name))
    done = CliRunner().invoke(app, ["doctor"])
    assert isinstance(done.exception, MachineError)
    assert "not installed: scipy;" in str(done.exception)
    assert "scipy (always needed)" in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("words", "wide", "bfloat"),
    [
        ("fpu avx2", "no", "no"),
        ("fpu avx2 avx512f avx512_bf16", "yes", "yes"),
        (None, "not told", "not told"),
    ],
)
def test_the_processor_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str | None, wide: str, bfloat: str
) -> None:
    cpu = tmp_path / "cpuinfo"
    if words:
        cpu.write_text(f"model name : Some CPU\nflags : {words}\n")
    monkeypatch.setattr(doctor, "processor_words", lambda: machine.processor_words(cpu))
    monkeypatch.setattr(doctor, "multiplies_bfloat16", lambda: machine.multiplies_bfloat16(cpu))
    told = found()["machine"]
    assert (told["AVX-512"], told["bfloat16"]) == (wide, bfloat)


def test_cards_are_those_of_nvidias_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine.graphics_cards() == ()
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'NVIDIA H100, 81559 MiB'\n")
    tool.chmod(0o755)
    told = found()
    assert told["machine"]["GPUs"] == "NVIDIA H100, 81559 MiB"
    assert "doctor --load" in told["uses"]["cv, tune"]


def test_weights_are_there_or_to_be_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    from ensemble_kit.models import find_backbone

    name = find_backbone("densenet121").facts.weights_file
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / name).write_bytes(b"weights")
    told = found()
    assert "densenet121" in told["weights_there"]
    assert "densenet201" in told["weights_absent"]


def test_disk_is_that_of_the_folders_named(tmp_path: Path) -> None:
    told = found("--runs-dir", str(tmp_path / "a"), "--store", str(tmp_path / "b"))
    assert list(told["disk"]) == [str(tmp_path / "a"), str(tmp_path / "b")]
    assert all(free > 0 for free in told["disk"].values())


def test_the_framework_is_started_only_where_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    from ensemble_kit.models import device

    asked = []

    def prepare(threads: int) -> device.Device:
        asked.append(threads)
        return device.Device("jax", "gpu", "mixed_bfloat16", 2, deterministic=False)

    monkeypatch.setattr(device, "prepare", prepare)
    assert "tensorflow" in found()["uses"]["cv, tune"]
    assert asked == []
    assert found("--load")["uses"]["cv, tune"] == "Keras on jax, gpu, mixed_bfloat16"
