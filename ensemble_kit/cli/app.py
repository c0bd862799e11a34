"""The command line: one Typer app, one place where errors become exit codes."""

import errno
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Never

import typer

from ensemble_kit.cli.backbones import backbones
from ensemble_kit.cli.check import check
from ensemble_kit.cli.console import complain
from ensemble_kit.cli.cv import cv
from ensemble_kit.cli.doctor import doctor
from ensemble_kit.cli.ensemble import ensemble
from ensemble_kit.cli.evaluate import evaluate
from ensemble_kit.cli.explain import explain
from ensemble_kit.cli.export import export
from ensemble_kit.cli.fetch import fetch
from ensemble_kit.cli.interruption import Termination
from ensemble_kit.cli.panels import PanelledCommand, PanelledGroup
from ensemble_kit.cli.predict import predict
from ensemble_kit.cli.report import report
from ensemble_kit.cli.runs import runs
from ensemble_kit.cli.store import store
from ensemble_kit.cli.tune import tune
from ensemble_kit.cli.validate import validate
from ensemble_kit.core.disk import full, is_full, sentence
from ensemble_kit.core.errors import EnsembleKitError, UsageError

USER_ERROR, OUR_ERROR, INTERRUPTED = 2, 1, 130

app = typer.Typer(
    cls=PanelledGroup,
    help="Group-safe k-fold evaluation, ensembling and calibration of image classifiers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (
    check, fetch, cv, report, evaluate, ensemble, tune, predict, validate, explain, export,
    backbones, doctor,
):  # fmt: skip
    app.command(cls=PanelledCommand)(command)
app.add_typer(runs, name="runs")
app.add_typer(store, name="store")


def main() -> Never:
    """Run the app. Exit code 0, 2 for a user's mistake, 1 for ours, 130 after Ctrl-C, 143 after
    SIGTERM."""
    _speak_any_alphabet()
    termination = Termination()
    try:
        termination.listen()
        _check_working_directory()
        app()
    except SystemExit as left:
        _finish(left, termination)
    except KeyboardInterrupt:
        _interrupted(termination)
    except Exception as error:
        if termination.came:
            _interrupted(termination)
        _failed(error)
    sys.exit(0)


def _check_working_directory() -> None:
    try:
        Path.cwd()
    except FileNotFoundError:
        raise UsageError(
            "the working directory was removed: change to a folder that is there"
        ) from None


def _failed(error: Exception) -> Never:
    """One sentence, and the exit code that says whose fault it was."""
    if isinstance(error, EnsembleKitError):
        _leave(str(error), USER_ERROR)
    if isinstance(error, BrokenPipeError):
        _closed_pipe()
    if isinstance(error, OSError):
        _system_error(error)
    if isinstance(error, MemoryError):
        _leave("the memory is used up; close other programs or give fewer --jobs", USER_ERROR)
    if is_full(error):
        _leave(full(None, error=error), USER_ERROR)
    if isinstance(error, RuntimeError) and str(error).startswith("Symlink loop"):
        # of Path.resolve before Python 3.13
        _leave(f"{error}: a link leads to itself; name another place", USER_ERROR)
    _our_fault(error)


def _finish(left: SystemExit, termination: Termination) -> Never:
    """Typer turns Ctrl-C and a closed pipe into exit codes of its own."""
    cause = left.__context__
    while cause is not None and not isinstance(cause, (KeyboardInterrupt, OSError)):
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    if isinstance(cause, KeyboardInterrupt):
        _interrupted(termination)
    if isinstance(cause, OSError) and cause.errno == errno.EPIPE:
        _closed_pipe()
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _closed_pipe()
    except OSError as error:
        _system_error(error)
    if left.code == INTERRUPTED and termination.number is not None:
        sys.exit(128 + termination.number)
    raise left


def _interrupted(termination: Termination) -> Never:
    # Ctrl-C inside compiled text (a dataclass being made, say) leaves CPython's note that nobody
    # handled it, which would end the process by SIGINT after all; compiled text takes it back.
    exec("")
    termination.leave_at_once(128 + (termination.number or signal.SIGINT))
    if termination.number is None:
        _leave(f"interrupted; {termination.kept}", INTERRUPTED)
    _leave(f"ended by a signal; {termination.kept}", 128 + termination.number)


def _closed_pipe() -> Never:
    """Whoever read the output has enough of it."""
    for stream in (sys.__stdout__, sys.__stderr__):
        try:
            if stream is not None:
                stream.flush()
        except OSError:  # closed: there is nobody to tell
            pass
    os._exit(0)


def _speak_any_alphabet() -> None:
    """Names that the terminal's encoding lacks are written as escapes instead of failing; closed
    streams are replaced."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _system_error(error: OSError) -> Never:
    """Files and disks are the user's; what has no errno is ours."""
    if error.errno is None and not is_full(error):
        _our_fault(error)
    _leave(full(None) if error.errno is None else sentence(error), USER_ERROR)


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
