"""Fetches the published weights of a constructor of ``keras.applications`` and tells their path.

Run as a process of its own (``python -m ensemble_kit.models.fetching Xception``). The constructor
asks Keras' own downloader for the file; what it is given is taken down and building
goes no further.
"""

import json
import sys
from typing import Any

from ensemble_kit.models.weights import MARK


class _FoundError(Exception):
    """Not a fault: the file is there, its path is the argument."""


def weights_path(constructor: str, *, fetch: bool = True) -> tuple[str, str]:
    """(path, name) of the file that Keras' downloader gives; fetch : False gives the name alone."""
    import keras
    from keras.src.utils import file_utils

    download = file_utils.get_file

    def told(fname: str, *args: Any, **kwargs: Any) -> str:
        raise _FoundError(download(fname, *args, **kwargs) if fetch else "", fname)

    file_utils.get_file = told
    try:
        getattr(keras.applications, constructor)(include_top=False, weights="imagenet")
    except _FoundError as found:
        path, name = found.args
        return str(path), str(name)
    finally:
        file_utils.get_file = download
    raise RuntimeError(f"keras.applications.{constructor} asked for no weights")


if __name__ == "__main__":
    sys.stdout.write("\n" + MARK + json.dumps(weights_path(sys.argv[1])[0]) + "\n")
