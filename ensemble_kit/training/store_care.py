"""Looking after the stores of pixels and activations: what there is, whether it is sound, room.

A folder is a store only if what it says of itself agrees with its name and every file in it is one
that a store has. Nothing else is ever removed.
"""

import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

from ensemble_kit.data.pixel_care import list_pixels
from ensemble_kit.errors import StoreError
from ensemble_kit.training.activation_care import activation_state
from ensemble_kit.training.activations import FOLDER
