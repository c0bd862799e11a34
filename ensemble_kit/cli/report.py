"""`report`: the page of a run, and its numbers as JSON."""

from pathlib import Path
from typing import Annotated

import typer

from ensemble_kit.cli import options
from ensemble_kit.cli.console import note, results


def report(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN]",
            help="Run to report: a name, a folder, or a report.json to rebuild the page from. "
            "Default: the latest run.",
            show_default=False,
        ),
    ] = None,
    runs_dir: options.RunsDir = Path("runs"),
    compare: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RUN",
            help="Another run on the same images to set beside it, with paired differences; may "
            "be given several times.",
            show_default=False,
        ),
    ] = None,
    external: Annotated[
        str | None,
        typer.Option(
            metavar="RUN", help="A run on other data, to show what shifts.", show_default=False
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Page to write, its numbers beside it as .json; default: reports/<run>.html and "
            "runs/<run>/report.json.",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder of the images, for thumbnails; default: where the run found them.",
            show_default=False,
        ),
    ] = None,
    images: Annotated[
        int, typer.Option(min=0, max=400, help="Example images shown, about so many; 0: none.")
    ] = 40,
    open_page: Annotated[
        bool, typer.Option("--open", help="Open the page in the browser.")
    ] = False,
    pdf: Annotated[
        bool, typer.Option("--pdf", help="Also print the page to PDF (needs Chromium or Chrome).")
    ] = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """Write a run's report: one self-contained HTML page."""
    from ensemble_kit.core.errors import RunError
    from ensemble_kit.reporting.storage import (
        FILE_NAME,
        check_replaceable,
        read_report,
        write_report,
    )

    if out is not None and out.is_dir():
        raise RunError(f"{out} is a folder: --out names the page to write, such as {out}/run.html")
    if out is not None and out.suffix == ".json":
        raise RunError(
            f"{out}: --out names the page, and its numbers go beside it as .json; name it "
            f"{out.with_suffix('.html')}, say"
        )
    if data is not None and not data.is_dir():
        raise RunError(f"{data} is no folder: --data names the folder of the images")
    given = Path(run) if run else None
    if given is not None and given.suffix == ".json" and given.is_file():
        if compare or external:
            raise RunError(
                f"{given} is a finished report: --compare and --external need the run it came from"
            )
        view, stem = read_report(given), _stem(given)
    else:
        from ensemble_kit.reporting.collect.report import build_report
        from ensemble_kit.runs.folder import find_run

        folder = find_run(run, runs_dir)
        numbers = out.with_suffix(".json") if out else folder / FILE_NAME
        check_replaceable(numbers)
        others = [find_run(name, runs_dir) for name in compare or []]
        away = find_run(external, runs_dir) if external else None
        _check_distinct(folder, others, away)
        view = build_report(folder, compare=others, external=away, n_images=images, images_dir=data)
        write_report(numbers, view)
        stem = folder.resolve().name
        if not quiet:
            note(f"numbers: {numbers}")
    from ensemble_kit.core.atomic import write_text
    from ensemble_kit.reporting.page.page import render_page

    page = out or Path("reports") / f"{stem}.html"
    write_text(page, render_page(view))
    results.print(str(page), markup=False)
    if pdf:
        from ensemble_kit.reporting.pdf import print_pdf

        print_pdf(page, page.with_suffix(".pdf"))
        results.print(str(page.with_suffix(".pdf")), markup=False)
    if open_page:
        import webbrowser

        if not webbrowser.open(page.resolve().as_uri()):
            note(f"no browser to open; the page is {page}")


def _check_distinct(folder: Path, others: list[Path], away: Path | None) -> None:
    """Refuse a run set beside itself, or named twice, however its path is spelled."""
    from ensemble_kit.core.errors import RunError

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
    return parent if path.name == "report.json" and parent else path.stem
