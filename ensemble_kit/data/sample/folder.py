"""Where the built-in sample is drawn: in the store, or for a dry run where nothing stays."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def sample_folder(store: Path, *, keep: bool) -> Iterator[Path]:
    """The folder to draw the sample into. keep : False leaves ``store`` as it is: a sample that is
    not there yet is drawn in a temporary folder, gone at the end."""
    from tempfile import TemporaryDirectory

    from ensemble_kit.data.sample import is_drawn

    place = store / "sample"
    if keep or is_drawn(place):
        yield place
        return
    with TemporaryDirectory() as passing:
        yield Path(passing)
