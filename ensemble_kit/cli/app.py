"""The command line: one Typer app, one place where errors become exit codes."""

import errno
import os
import sys
import traceback
from typing import Never

import typer

from ensemble_kit.cli.backbones import backbones
from ensemble_kit.cli.check import check
from ensemble_kit.cli.console import complain
from ensemble_kit.cli.cv import cv
from ensemble_kit.cli.ensemble import ensemble
from ensemble_kit.cli.evaluate import evaluate
from ensemble_kit.cli.explain import explain
from ensemble_kit.cli.export import export
from ensemble_kit.cli.fetch import fetch
from ensemble_kit.cli.panels import PanelledCommand
from ensemble_kit.cli.predict import predict
from ensemble_kit.cli.report import report
from ensemble_kit.cli.runs import runs
from ensemble_kit.cli.store import store
from ensemble_kit.cli.tune import tune
from ensemble_kit.cli.validate import validate
from ensemble_kit.core.errors import EnsembleKitError

USER_ERROR, OUR_ERROR, INTERRUPTED = 2, 1, 130

app = typer.Typer(
    help="Group-safe k-fold evaluation, ensembling and calibration of image classifiers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command(cls=PanelledCommand)(backbones)
app.command(cls=PanelledCommand)(check)
app.command(cls=PanelledCommand)(cv)
app.command(cls=PanelledCommand)(ensemble)
app.command(cls=PanelledCommand)(evaluate)
app.command(cls=PanelledCommand)(explain)
app.command(cls=PanelledCommand)(export)
app.command(cls=PanelledCommand)(fetch)
app.command(cls=PanelledCommand)(predict)
app.command(cls=PanelledCommand)(report)
app.command(cls=PanelledCommand)(tune)
app.command(cls=PanelledCommand)(validate)
app.add_typer(runs, name="runs")
app.add_typer(store, name="store")


def main() -> Never:
    """Run the app. Exit code 0, 2 for a user's mistake, 1 for ours, 130 after Ctrl-C."""
    try:
        app()
    except EnsembleKitError as error:
        _leave(str(error), USER_ERROR)
    except KeyboardInterrupt:
        _leave("interrupted; what was finished is kept, the same command resumes it", INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            place = f" writing {error.filename}" if error.filename else ""
            _leave(
                f"the disk is full{place}; free some space and give the command again", USER_ERROR
            )
        if isinstance(error, PermissionError) and error.filename:
            _leave(
                f"{error.filename}: permission denied; choose a folder you may write", USER_ERROR
            )
        _our_fault(error)
    except Exception as error:
        _our_fault(error)
    sys.exit(0)


def _our_fault(error: Exception) -> Never:
    if "-v" in sys.argv or "--verbose" in sys.argv:
        traceback.print_exception(error)
    _leave(
        f"unexpected {type(error).__name__}: {error} (a fault of ensemble_kit, not of your data; "
        "-v shows where)",
        OUR_ERROR,
    )


def _leave(message: str, code: int) -> Never:
    complain(message)
    sys.exit(code)
