"""The atomic files of a run folder (they live in :mod:`ensemble_kit.atomic`)."""

from ensemble_kit.atomic import (
    sha256_of_file,
    write_atomically,
    write_bytes,
    write_json,
    write_text,
)

__all__ = ["sha256_of_file", "write_atomically", "write_bytes", "write_json", "write_text"]
