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
            help="Page to write; default: reports/<run>.html, and runs/<run>/report.json.",
            show_default=False,
        ),
    ] = None,
    numbers: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write the numbers of the page here, as JSON; with --out alone they are not kept.",
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
    trust_changed_files: Annotated[
        bool,
        typer.Option(
            "--trust-changed-files",
            help="Read files that are not as the run wrote them; the page says so first.",
        ),
    ] = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """Write a run's report: one self-contained HTML page.

    \b
    report mine --open
    report mine --compare other   side by side, with paired differences
    report mine --pdf
    """
    from ensemble_kit.workflows.page import report as write

    done = write(
        run, compare=compare or (), external=external, to=out, numbers_to=numbers, images_dir=data,
        n_images=images, pdf=pdf, trust_changed=trust_changed_files, runs_dir=runs_dir,
    )  # fmt: skip
    if done.numbers and not quiet:
        note(f"numbers: {done.numbers}")
    results.out(str(done.page), highlight=False)
    if done.pdf:
        results.out(str(done.pdf), highlight=False)
    if open_page:
        import webbrowser

        if not webbrowser.open(done.page.resolve().as_uri()):
            note(f"no browser to open; the page is {done.page}")
