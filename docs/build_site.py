"""What `make docs` adds to the pages: the tutorial's output, the notebooks, two files from above.

The commands of ``tutorial.md`` are run in ``build/docs``, where their runs and stores stay, so that
a second build is quick. A command that fails, or a public name without a docstring, is a warning,
which fails a strict build.
"""

import json
import logging
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import griffe
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

log = logging.getLogger("mkdocs.hooks.build_site")

ROOT = Path(__file__).parents[1]
WORK = ROOT / "build/docs"
COMMAND = re.compile(r"```sh\n(python cli\.py [^\n]+)\n```\n<!-- output -->")
LIST_AFTER_TEXT = re.compile(r"^((?![-#|]|\d+\. | )[^\n]+)\n(- )", re.MULTILINE)
"""A list right under a paragraph, as GitHub reads it; Markdown proper wants a blank line there."""
ABOVE = {"contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages and the page of the sample."""
    check_docstrings()
    for name, source in ABOVE.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, name, content=text.replace("](docs/", "](")))
    for path in sorted((ROOT / "examples").glob("*.ipynb")):
        name = f"notebooks/{path.stem}.md"
        files.append(File.generated(config, name, content=notebook_page(path)))
    run_tutorial((ROOT / "docs/tutorial.md").read_text(encoding="utf-8"))
    page = WORK / "reports/calibrated.html"
    if page.is_file():
        files.append(File.generated(config, "sample/calibrated.html", abs_src_path=str(page)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put the output under each command of the tutorial; lead links to files above to pages."""
    for name, source in ABOVE.items():
        markdown = re.sub(rf"\]\((\.\./)+{source}", f"]({name}", markdown)
    markdown = re.sub(r"`[^`\n]*`", lambda code: code[0].replace(r"\|", "|"), markdown)
    markdown = LIST_AFTER_TEXT.sub(r"\1\n\n\2", markdown)
    return COMMAND.sub(with_output, markdown) if page.file.src_uri == "tutorial.md" else markdown


def with_output(found: re.Match[str]) -> str:
    """The command, and what it printed."""
    said = (WORK / output_of(found[1])).read_text(encoding="utf-8").rstrip()
    return f"```sh\n{found[1]}\n```\n\n```text\n{said}\n```\n"


def output_of(command: str) -> str:
    return "output-" + re.sub(r"\W+", "-", command) + ".txt"


def run_tutorial(text: str) -> None:
    """Run its commands in order, each as a reader would at 80 columns."""
    shutil.copytree(ROOT / "studies", WORK / "studies", dirs_exist_ok=True)
    about = {"COLUMNS": "80", "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT)}
    for command in COMMAND.findall(text):
        words = shlex.split(command)[2:]
        done = subprocess.run(
            [sys.executable, str(ROOT / "cli.py"), *words],
            cwd=WORK, env=os.environ | about, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            log.warning("tutorial.md: %s failed: %s", command, done.stderr.strip()[-500:])
        printed = done.stdout.replace(str(WORK), ".")
        (WORK / output_of(command)).write_text(printed, encoding="utf-8")


def notebook_page(path: Path) -> str:
    """A notebook's cells as a page; it is shipped without outputs."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    parts = []
    for cell in cells:
        text = "".join(cell["source"])
        parts.append(text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
    return "\n\n".join(parts) + f"\n\n---\n\nThe file: `examples/{path.name}` in the repository.\n"


def check_docstrings() -> None:
    """Warn of public names, and of their public members, that say nothing of themselves."""
    package = griffe.load("ensemble_kit", search_paths=[str(ROOT)])
    names = package["__all__"].value.elements  # type: ignore[union-attr]
    for name in (str(element).strip("'\"") for element in names):
        if name.startswith("_"):
            continue
        thing = package[name].final_target if package[name].is_alias else package[name]
        members = thing.members.values() if thing.is_class else ()
        shown = [m for m in members if not m.name.startswith("_")]
        shown = [m for m in shown if m.is_function or "property" in m.labels]
        for told in (thing, *shown):
            if not told.has_docstring:
                log.warning("%s has no docstring", told.path)
