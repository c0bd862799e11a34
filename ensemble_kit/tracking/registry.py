"""The trackers that ``--track`` knows. A new one is a file of this room and a line here."""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec

from ensemble_kit.core.errors import EnsembleKitError, RunError, StudyError
from ensemble_kit.tracking.base import Tracker
from ensemble_kit.tracking.listening import Tracking

TRACKERS = {
    "mlflow": "ensemble_kit.tracking.mlflow:open_mlflow",
    "wandb": "ensemble_kit.tracking.wandb:open_wandb",
}
"""Name of the tracker, of its package and of the extra that installs it -> what opens it."""


def open_tracking(name: str | None, warn: Callable[[str], None]) -> Tracking:
    """The listener that copies to the tracker of this name; None: one that copies nothing.

    warn : told one sentence where the tracker fails later on. Raises StudyError for an unknown
    name or a missing package, RunError where the tracker cannot be opened.
    """
    if name is None:
        return Tracking(None, warn)
    if name not in TRACKERS:
        raise StudyError(f"--track {name!r}: give {' or '.join(TRACKERS)}")
    if find_spec(name) is None:
        raise StudyError(
            f"--track {name} needs the package {name}, which is not installed; "
            f"pip install 'ensemble-kit[{name}]', or leave the option out"
        )
    module, _, function = TRACKERS[name].partition(":")
    opened: Callable[[], Tracker] = getattr(import_module(module), function)
    try:
        return Tracking(opened(), warn)
    except EnsembleKitError:
        raise
    except Exception as error:
        raise RunError(
            f"--track {name}: it cannot be opened ({type(error).__name__}: {error}); see "
            "docs/tracking.md for where it writes, or leave the option out"
        ) from None
