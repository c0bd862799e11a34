"""What commands print at 40, 80 and 120 columns is kept in tests/golden/terminal; and at no width
is a word or a number broken, or lost without a word on where it is.

WRITE_GOLDENS=1 writes the kept texts anew, to be read before they are committed.
"""

import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from ensemble_kit.core.records import Predictions
from ensemble_kit.metrics.evaluation import evaluate
from ensemble_kit.study import EvaluationSpec, StudySpec
from tests.cli.terminal import WIDE, Printed, help_at, of_call, of_command
from tests.cli.test_ensemble import frame
from tests.posthoc.posthoc_cases import as_table, made_rows

GOLDEN = Path(__file__).parents[1] / "golden"
WIDTHS = (40, 80, 120)
MADE = ("check", "cv", "ensemble", "evaluate", "probe", "runs", "search", "show")
LONG_HELPS = ("check", "cv", "ensemble", "evaluate", "predict", "tune", "validate")


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Printed]:
    place = tmp_path_factory.mktemp("printed")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setattr("ensemble_kit.cli.run_tables._age", lambda created: "3 d")
        for m, name in enumerate(("resnet", "a-network-with-a-long-name")):
            frame(m).to_csv(f"{name}.csv", index=False)
        files = ["--predictions", "resnet.csv", "--predictions", "a-network-with-a-long-name.csv"]
        for name in ("evaluated", "trained", "ensembled"):
            shutil.copytree(GOLDEN / "run-v1" / name, Path("old") / name)
        return {
            "evaluate": of_command("evaluate", *files, "--replicates", "100", "--quiet"),
            "ensemble": of_command("ensemble", *files, "--replicates", "50", "--quiet"),
            "check": of_command("check", "--data", "sample", "--no-progress"),
            "runs": of_command("runs", "--runs-dir", "old"),
            "show": of_command("runs", "show", "evaluated", "--runs-dir", "old"),
            "doctor": of_command("doctor"),
            "backbones": of_command("backbones"),
            "cv": of_call(_cv),
            "probe": of_call(_probe),
            "search": of_call(_search),
        }


def _cv() -> None:
    from ensemble_kit.cli.training_tables import print_result

    members, table, folds = as_table(made_rows(groups=60, classes=4))
    first = Predictions(table.image_ids, table.class_names, members.probabilities[0])
    spec = EvaluationSpec(replicates=100, malignant=())
    found = evaluate(table, folds, first, spec)
    print_result(Path("runs/mine"), table, folds, found)


def _probe() -> None:
    from ensemble_kit.cli.training_tables import print_against_probe

    names = ("roc_auc_ovr", "balanced_accuracy", "log_loss")
    print_against_probe(
        [
            {"metric": name, "network": 0.895, "probe": 1.0045, "difference": -0.1095, "low": -0.15,
             "high": 0.0231, "level": 0.95} for name in names
        ]
    )  # fmt: skip


def _search() -> None:
    from ensemble_kit.progress import tables
    from ensemble_kit.progress.search import trial_table
    from ensemble_kit.study.space import PARAMETERS
    from ensemble_kit.tuning.trials import TrialRecord

    space = {
        "unfreeze_depth": {"low": 0, "high": 4}, "dropout": {"low": 0.0, "high": 0.5},
        "fine_tune_lr": {"low": 1e-5, "high": 1e-2, "log": True},
        "label_smoothing": {"low": 0.0, "high": 0.1}, "class_weights": {"low": 0.0, "high": 1.0},
    }  # fmt: skip
    search = StudySpec().override({"search": {"space": space, "trials": 3}}).search
    assert set(space) <= set(PARAMETERS)
    drawn = {"unfreeze_depth": 2, "dropout": 0.25, "fine_tune_lr": 3.162e-4,
             "label_smoothing": 0.05, "class_weights": 0.5}  # fmt: skip
    trials = [
        TrialRecord(0, "COMPLETE", 0.8123, drawn, seconds=61.0),
        TrialRecord(1, "PRUNED", 0.9321, drawn, pruned_after=2, seconds=22.0),
        TrialRecord(2, "COMPLETE", 0.7999, drawn, seconds=60.0),
    ]
    tables.show(trial_table(trials, search, "search sample"))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", MADE)
def test_printed_as_kept(printed: dict[str, Printed], name: str, width: int) -> None:
    compared(f"{name}-{width}", printed[name].at(width))


@pytest.mark.parametrize("width", WIDTHS)
def test_help_as_kept(width: int) -> None:
    compared(f"cv-help-{width}", help_at(width, "cv"))


def compared(name: str, text: str) -> None:
    kept = GOLDEN / "terminal" / f"{name}.txt"
    if os.environ.get("WRITE_GOLDENS"):
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(text, encoding="utf-8")
    assert text == kept.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [*MADE, "doctor", "backbones"])
def test_no_word_is_broken_or_lost_at_any_width(printed: dict[str, Printed], name: str) -> None:
    wide = set(" ".join(printed[name].lines(WIDE)).split())
    assert "\n".join(printed[name].lines(60)).split() == printed[name].at(60).split()
    for width in range(40, 121):
        lines = printed[name].lines(width)
        text = "\n".join(lines)
        told = " ".join(re.findall(r"left out at this width: [^)]*\)", text)).split()
        assert set(text.split()) - set(told) <= wide, width
        assert told or set(text.split()) == wide, width
        assert not [line for line in lines if len(line) > width and len(line.split()) > 1], width


@pytest.mark.parametrize("command", [(), *((name,) for name in LONG_HELPS), ("runs", "rm")])
def test_no_word_of_help_is_broken_at_any_width(command: tuple[str, ...]) -> None:
    def words(width: int) -> set[str]:
        return {word for word in help_at(width, *command).split() if set(word) != {"─"}}

    wide = words(120)
    for width in range(40, 120, 7):
        assert words(width) == wide


@pytest.mark.parametrize("command", LONG_HELPS)
def test_a_long_help_has_lines_to_copy_and_at_most_ten_options_first(command: str) -> None:
    text = help_at(80, command)
    panels = dict(re.findall(r"^── ([A-Z][a-z ]+?) ─+\n((?:  .*\n)+)", text, flags=re.M))
    assert list(panels)[:2] == ["For example", "Used first"]
    assert {"Machine", "Output"} & set(panels)
    examples = [line for line in panels["For example"].splitlines() if line[2:3].strip()]
    assert 2 <= len(examples) <= 3
    assert all(line.split()[0] == command for line in examples)
    first = [line for line in panels["Used first"].splitlines() if re.match(r"  \S", line)]
    assert 3 <= len(first) <= 10


def test_without_a_terminal_a_sentence_is_one_line(printed: dict[str, Printed]) -> None:
    import io
    from unittest import mock

    from rich.console import Console

    from ensemble_kit.progress import console

    file = io.StringIO()
    with mock.patch.object(console, "results", Console(file=file, width=40)):
        console.say("a sentence of many words that is longer than forty columns " * 2)
    assert len(file.getvalue().splitlines()) == 1


@pytest.mark.parametrize("variable", ["NO_COLOR=1", "TERM=dumb"])
def test_plain_terminals_get_plain_text_of_their_width(project: Path, variable: str) -> None:
    pty = pytest.importorskip("pty")
    import subprocess
    import sys

    first, second = pty.openpty()
    name, value = variable.split("=")
    env = os.environ | {"COLUMNS": "50", "TERM": "xterm-256color", name: value}
    subprocess.run([sys.executable, "cli.py", "cv", "--help"], cwd=project, env=env, check=True,
                   stdout=second, stderr=second, stdin=second)  # fmt: skip
    os.close(second)
    text = b""
    while True:
        try:
            piece = os.read(first, 65536)
        except OSError:
            break
        if not piece:
            break
        text += piece
    plain = re.sub(r"\x1b\[1?0?m", "", text.decode())
    assert "\x1b" not in plain, "colours or cursor movements"
    assert variable != "TERM=dumb" or "\x1b" not in text.decode()
    assert max(len(line) for line in plain.replace("\r", "").splitlines()) == 50


def test_the_numbers_of_a_table_at_forty_columns_are_those_at_a_hundred_and_twenty() -> None:
    rng = np.random.default_rng(0)
    from ensemble_kit.progress.tables import lines_of, table

    drawn = table("model", *(f"figure {k} by name" for k in range(7)))
    for row in range(5):
        drawn.add_row(
            f"m{row}", *(f"{x:.4f} [{x - 1:.4f} {x + 1:.4f}]" for x in rng.normal(size=7))
        )
    narrow, wide = (
        sorted(re.findall(r"-?\d+\.\d+", "\n".join(line.plain for line in lines_of(drawn, width))))
        for width in (40, 120)
    )
    assert narrow == wide
    assert len(wide) == 5 * 7 * 3
