"""The README's commands exist, parse, and the demonstration does what it says."""

import re
import shlex
import subprocess
import sys

import pytest
import typer

from ensemble_kit.cli.app import app
from ensemble_kit.study import StudySpec, read_study

MADE_BY_THE_SITE = ("ham10000.md", "evaluate_pytorch.md", "sample/calibrated.html")
"""Targets of links that `make docs` makes, and checks."""
COMMANDS = typer.main.get_command(app).commands


def readme_lines(project):
    blocks = re.findall(r"```sh\n(.*?)```", (project / "README.md").read_text(), flags=re.S)
    lines = [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]
    found = [line for line in lines if "cli.py " in line]
    inline = re.findall(r"`python (cli\.py [^`…]+)`", (project / "README.md").read_text())
    return found + inline


def test_every_command_line_of_the_readme_parses(project):
    lines = readme_lines(project)
    assert len(lines) >= 9
    for line in lines:
        words = shlex.split(line.split("cli.py ", 1)[1])
        assert words[0] in COMMANDS, line
        COMMANDS[words[0]].make_context(words[0], words[1:])


def test_every_command_line_of_the_guides_parses(project):
    pages = [project / "docs" / name for name in ("start.md", "tutorial.md", "tracking.md")]
    pages += (project / "docs/guides").glob("*.md")
    lines = []
    for page in pages:
        blocks = re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.S)
        lines += [line.split("  #")[0] for block in blocks for line in block.splitlines()]
    lines = [line.strip() for line in lines if "cli.py " in line]
    assert len(lines) >= 25
    for line in lines:
        words = shlex.split(line.split("cli.py ", 1)[1])
        assert words[0] in COMMANDS, line
        COMMANDS[words[0]].make_context(words[0], words[1:])


def test_every_page_has_its_place_in_the_site(project):
    nav = (project / "mkdocs.yml").read_text(encoding="utf-8")
    for page in (project / "docs").rglob("*.md"):
        assert f"{page.relative_to(project / 'docs').as_posix()}\n" in nav, page.name


def test_the_table_of_commands_is_the_programs(project):
    table = re.findall(r"^\| `(\w+)` \|", (project / "README.md").read_text(), flags=re.M)
    assert sorted(table) == sorted(COMMANDS)


def test_every_option_has_help():
    for name, command in COMMANDS.items():
        for parameter in command.params:
            assert getattr(parameter, "help", ""), f"{name} {parameter.name}"


def test_what_commands_share_is_worded_once(project):
    own = {"predictions", "name", "seed", "images", "data", "run", "runs", "help"}
    helps: dict[str, set[str]] = {}
    for name in ("ensemble", "evaluate", "report"):
        for parameter in COMMANDS[name].params:
            if parameter.name not in own:
                helps.setdefault(parameter.name, set()).add(parameter.help)
    assert {"truth", "folds_file", "malignant", "level", "replicates", "runs_dir"} <= set(helps)
    assert {name: said for name, said in helps.items() if len(said) > 1} == {}


def test_the_readme_is_true_about_downloads(project):
    from ensemble_kit.study import ModelSpec

    text = " ".join((project / "README.md").read_text(encoding="utf-8").split())
    sample = read_study(project / "studies/sample.toml")
    assert (sample.model.weights, ModelSpec().weights) == ("none", "imagenet")
    assert "Up to here nothing is downloaded but packages" in text
    assert "start from Xception's ImageNet weights unless told otherwise and download them" in text
    assert text.index("Up to here nothing") > text.index("cv --study studies/sample.toml")


def test_the_links_of_the_docs_lead_somewhere(project):
    pages = [project / "README.md", *(project / "docs").rglob("*.md")]
    for page in pages:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            made = target.endswith(MADE_BY_THE_SITE)
            assert made or (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("sentence", ["make demo", "make test", "make install"])
def test_make_has_the_readmes_targets(project, sentence):
    assert sentence in (project / "README.md").read_text()
    done = subprocess.run(["make", "-n", sentence.split()[1]], cwd=project, capture_output=True,
                          text=True, check=True)  # fmt: skip
    if sentence == "make demo":
        assert "cli.py cv --study studies/sample.toml --run demo --overwrite" in done.stdout
        assert "cli.py report demo" in done.stdout


def test_shipped_studies_are_valid_and_open_with_command_duration_and_score(project):
    studies = sorted((project / "studies").glob("*.toml"))
    assert {path.stem for path in studies} >= {"sample", "ham10000-28px"}
    for path in studies:
        head = "\n".join(path.read_text().splitlines()[:4])
        assert re.search(r"^# .*python cli\.py", head)
        assert re.search("minute|hour", head)
        assert "xpect" in head
        assert read_study(path).name == path.stem


def test_the_settings_page_lists_every_setting(project):
    page = (project / "docs/studies.md").read_text()
    for section, field in StudySpec.model_fields.items():
        for name in getattr(field.annotation, "model_fields", {}):
            assert f"| `{section}` | `{name}` |" in page, f"{section}.{name}"


def test_light_commands_load_no_framework(project):
    code = (
        "import sys; from ensemble_kit.cli.app import app; "
        "print([m for m in ('keras', 'tensorflow', 'optuna', 'torch', 'jax', 'pandas') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=project, capture_output=True, text=True,
                          check=True)  # fmt: skip
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_the_demonstration_runs_as_written(project, tmp_path):
    cli = [sys.executable, str(project / "cli.py")]
    study = str(project / "studies/sample.toml")
    for words in (["cv", "--study", study, "--run", "demo", "--overwrite"], ["report", "demo"]):
        done = subprocess.run([*cli, *words], cwd=tmp_path, capture_output=True, text=True,
                              timeout=500, check=False)  # fmt: skip
        assert done.returncode == 0, done.stderr
    assert "reports/demo.html" in done.stdout
    page = (tmp_path / "reports/demo.html").read_text(encoding="utf-8")
    assert "<title>" in page
