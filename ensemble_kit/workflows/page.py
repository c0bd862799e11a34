"""`report`: the page of a run and its numbers as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ensemble_kit.core.atomic import write_text
from ensemble_kit.core.errors import RunError
from ensemble_kit.core.places import check_output
from ensemble_kit.reporting.collect.report import build_report
from ensemble_kit.reporting.page.page import render_page
from ensemble_kit.reporting.pdf import print_pdf
from ensemble_kit.reporting.storage import holds_numbers, is_page, read_report, write_report
from ensemble_kit.runs.folder import find_run
from ensemble_kit.runs.manifest import read_manifest
from ensemble_kit.runs.paths import REPORT
from ensemble_kit.workflows.finished import FinishedRun
from ensemble_kit.workflows.inputs import RUNS_DIR
from ensemble_kit.workflows.joining import check_once

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
    numbers_to: Path | None = None,
    images_dir: Path | None = None,
    n_images: int = 40,
    pdf: bool = False,
    trust_changed: bool = False,
    runs_dir: Path = RUNS_DIR,
) -> Page:
    """Write a run's report: one self-contained HTML page.

    run : opened, a folder, a name below ``runs_dir``, a ``report.json`` to rebuild the page from,
    or None for the latest run. compare : runs on the same images, set beside it with paired
    differences. external : a run on other data, to show what shifts. to : the
    page; default: ``reports/<run>.html``, its numbers as ``report.json`` in the run.
    numbers_to : where the numbers go instead; with ``to`` alone they are not written. A file that
    is no earlier page (or numbers) is never replaced. trust_changed : read files that are not as
    the run wrote them, and say so first on the page. Raises RunError and OutputError before
    anything is written.
    """
    if to is not None and to.suffix == ".json":
        raise RunError(
            f"{to}: --out names the page; name it {to.with_suffix('.html')}, say, and its numbers "
            "with --numbers"
        )
    if images_dir is not None and not images_dir.is_dir():
        raise RunError(f"{images_dir} is no folder: --data names the folder of the images")
    given = Path(run) if isinstance(run, (str, Path)) else None
    source = given if given is not None and given.suffix == ".json" and given.is_file() else None
    if source is not None and (compare or external):
        raise RunError(
            f"{source} is a finished report: --compare and --external need the run it came from"
        )
    if source is not None and numbers_to is not None:
        raise RunError(f"--numbers: {source} is the numbers already, and is left as it is")
    folder = _folder(run, runs_dir) if source is None else None
    stem = _stem(source) if folder is None else folder.resolve().name  # type: ignore[arg-type]
    page = to or Path("reports") / f"{stem}.html"
    printed = page.with_suffix(".pdf") if pdf else None
    away = [place for place in (images_dir, source) if place is not None]
    if folder is not None and (root := read_manifest(folder).data_root):
        away.append(Path(root))
    check_output(page, "--out", ours=is_page, away_from=away)
    if numbers_to is not None and to is not None and numbers_to.resolve() == to.resolve():
        raise RunError(f"--out and --numbers are both {to}; give the numbers another name")
    if numbers_to is not None:
        check_output(numbers_to, "--numbers", ours=holds_numbers, away_from=away)
    if printed is not None:
        check_output(printed, "--out (its .pdf)", ours=_is_pdf, away_from=away)
    numbers = numbers_to
    if folder is None:
        assert source is not None
        view = read_report(source)
    else:
        if to is None and numbers is None:
            numbers = folder / REPORT
            if numbers.exists() and not holds_numbers(numbers):
                raise RunError(
                    f"{numbers} is there and holds no report's numbers, so it is left alone; "
                    "remove it, or give --out"
                )
        others = [_folder(other, runs_dir) for other in compare]
        abroad = _folder(external, runs_dir) if external else None
        _check_distinct(folder, others, abroad)
        view = build_report(
            folder,
            compare=others,
            external=abroad,
            n_images=n_images,
            images_dir=images_dir,
            trust_changed=trust_changed,
        )
        if numbers is not None:
            write_report(numbers, view)
    write_text(page, render_page(view))
    if printed is not None:
        print_pdf(page, printed)
    return Page(page, numbers, printed)


def _is_pdf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"%PDF"


def _folder(run: RunName, runs_dir: Path) -> Path:
    if isinstance(run, FinishedRun):
        return run.folder
    return find_run(None if run is None else str(run), runs_dir)


def _check_distinct(folder: Path, others: list[Path], away: Path | None) -> None:
    """Refuse a run set beside itself, or named twice, however its path is spelled."""
    named = [("--compare", path) for path in others] + ([("--external", away)] if away else [])
    for option, path in named:
        if path.resolve() == folder.resolve():
            raise RunError(
                f"{option} {path}: that is the run reported itself, and nothing differs from "
                "itself; name another run"
            )
    check_once([path for _, path in named], "run")


def _stem(path: Path) -> str:
    """``runs/demo/report.json`` is the report of ``demo``."""
    parent = path.resolve().parent.name
    return parent if path.name == REPORT and parent else path.stem
