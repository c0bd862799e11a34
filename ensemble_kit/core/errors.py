"""One base error and its few kinds; a message names the offenders, the rule, the next step."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

SHOWN = 10


class EnsembleKitError(Exception):
    """Something a user can mend: bad data, a bad option, a run that does not fit. Exit code 2."""


class UsageError(EnsembleKitError):
    """A command, option or value that the command line does not know."""


class DataError(EnsembleKitError):
    """The images, their metadata or their layout break a rule."""


class SplitError(EnsembleKitError):
    """Folds cannot be made, or the folds given break the rule that no group crosses a fold."""


class StudyError(EnsembleKitError):
    """A study file or an option that overrides it is not valid."""


class PredictionsError(EnsembleKitError):
    """A table of probabilities is not one, or does not fit the truth or its fellow members."""


class RunError(EnsembleKitError):
    """A run folder is missing, damaged, foreign, or was made from something else."""


class WeightsError(EnsembleKitError):
    """Weights that are missing, cannot be fetched or belong to another architecture."""


class OutputError(EnsembleKitError):
    """A place that cannot be written to: it is full, forbidden, no regular file, or holds something
    that is not to be replaced."""


class StoreError(EnsembleKitError):
    """A pixel or activation store cannot be made, read or afforded."""


class SearchError(EnsembleKitError):
    """A search space or its storage is not usable."""


class MachineError(EnsembleKitError):
    """Something that the commands need is not on this machine."""


def some(offenders: Iterable[object], limit: int = SHOWN) -> str:
    """At most ``limit`` of the offenders, then a count: ``a, b, c and 7 more``."""
    names = [str(item) for item in offenders]
    shown = ", ".join(names[:limit])
    rest = len(names) - limit
    return f"{shown} and {rest:,} more" if rest > 0 else shown


def count(number: int, noun: str, plural: str | None = None) -> str:
    """``1 image``, ``2 images``, ``10,015 images``."""
    word = noun if number == 1 else (plural or f"{noun}s")
    return f"{number:,} {word}"


def reason(error: Exception) -> str:
    """Why a file cannot be read, without Python's numbers of errors: the first line alone."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    if isinstance(error, UnicodeError):
        return "it is not text"
    return (str(error).splitlines() or [type(error).__name__])[0]


@contextmanager
def naming(source: object) -> Iterator[None]:
    """An error of data gets the name of the file it is of, where it does not name it yet."""
    try:
        yield
    except DataError as error:
        if str(source) in str(error):
            raise
        raise type(error)(f"{source}: {error}") from None
