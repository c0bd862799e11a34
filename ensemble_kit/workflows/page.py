"""`report`: the page of a run and its numbers as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ensemble_kit.core.atomic import write_text
from ensemble_kit.core.errors import RunError
from ensemble_kit.reporting.collect.report import build_report
from ensemble_kit.reporting.page.page import render_page
from ensemble_kit.reporting.pdf import print_pdf
from ensemble_kit.reporting.storage import (
    check_replaceable,
    read_report,
    write_report,
)
from ensemble_kit.runs.folder import find_run
from ensemble_kit.runs.paths import REPORT
from ensemble_kit.workflows.finished import FinishedRun
from ensemble_kit.workflows.inputs import RUNS_DIR

RunName = FinishedRun | Path | str | None


@dataclass(frozen=True)
class Page:
    """The page written; numbers : its ``report.json`` (None where the page was made from one)."""

    page: Path
    numbers: Path | None
    pdf: Path | None


def report(
    run: RunName = None,
    *,
    compare: Sequence[FinishedRun | Path | str] = (),
    external: RunName = None,
    to: Path | None = None,
    images_dir: Path | None = None,
    n_images: int = 40,
    pdf: bool = False,
    runs_dir: Path = RUNS_DIR,
) -> Page:
    """Write a run's report: one self-contained HTML page.

    run : opened, a folder, a name below ``runs_dir``, a ``report.json`` to rebuild the page from,
    or None for the latest run. compare : runs on the same images, set beside it with paired
    differences. external : a run on other data, to show what shifts. to : the page; its numbers
    go beside it as ``.json``; default: ``reports/<run>.html`` and ``report.json`` in the run.
    Raises RunError before anything is written.
    """
    if to is not None and to.is_dir():
        raise RunError(f"{to} is a folder: --out names the page to write, such as {to}/run.html")
    if to is not None and to.suffix == ".json":
        raise RunError(
            f"{to}: --out names the page, and its numbers go beside it as .json; name it "
            f"{to.with_suffix('.html')}, say"
        )
    if images_dir is not None and not images_dir.is_dir():
        raise RunError(f"{images_dir} is no folder: --data names the folder of the images")
    given = Path(run) if isinstance(run, (str, Path)) else None
    numbers = None
    if given is not None and given.suffix == ".json" and given.is_file():
        if compare or external:
            raise RunError(
                f"{given} is a finished report: --compare and --external need the run it came from"
            )
        view, stem = read_report(given), _stem(given)
    else:
        folder = _folder(run, runs_dir)
        numbers = to.with_suffix(".json") if to else folder / REPORT
        check_replaceable(numbers)
        others = [_folder(other, runs_dir) for other in compare]
        away = _folder(external, runs_dir) if external else None
        _check_distinct(folder, others, away)
        view = build_report(
            folder, compare=others, external=away, n_images=n_images, images_dir=images_dir
        )
        write_report(numbers, view)
        stem = folder.resolve().name
    page = to or Path("reports") / f"{stem}.html"
    write_text(page, render_page(view))
    printed = None
    if pdf:
        printed = page.with_suffix(".pdf")
        print_pdf(page, printed)
    return Page(page, numbers, printed)


def _folder(run: RunName, runs_dir: Path) -> Path:
    if isinstance(run, FinishedRun):
        return run.folder
    return find_run(None if run is None else str(run), runs_dir)


def _check_distinct(folder: Path, others: list[Path], away: Path | None) -> None:
    """Refuse a run set beside itself, or named twice, however its path is spelled."""
    seen = {folder.resolve()}
    named = [("--compare", path) for path in others] + ([("--external", away)] if away else [])
    for option, path in named:
        if path.resolve() == folder.resolve():
            raise RunError(
                f"{option} {path}: that is the run reported itself, and nothing differs from "
                "itself; name another run"
            )
        if path.resolve() in seen:
            raise RunError(f"{option} {path}: that run is named already; name every run once")
        seen.add(path.resolve())


def _stem(path: Path) -> str:
    """``runs/demo/report.json`` is the report of ``demo``."""
    parent = path.resolve().parent.name
    return parent if path.name == REPORT and parent else path.stem
