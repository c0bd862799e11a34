"""The weights a base starts from: a file, published ones, its own, or random ones.

Published weights are fetched by ``keras.applications`` with its own addresses and checksums, in a
process of its own: whoever asks for them loads no framework.
"""

import hashlib
import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from ensemble_kit.core.errors import WeightsError
from ensemble_kit.models.backbone import Backbone

MARK = "weights at "
"""What the fetching process prints before the path, among what the framework may print."""


def fetched(backbone: Backbone) -> Path | None:
    """The published weights if they are on this machine: where earlier versions kept them, else in
    Keras' own cache."""
    if not backbone.facts.weights_file:
        return None
    import pooch

    kept = Path(pooch.os_cache("ensemble_kit")) / "weights" / f"{backbone.name}_imagenet_notop.h5"
    home = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser()
    places = (kept, home / "models" / backbone.facts.weights_file)
    return next((path for path in places if path.is_file()), None)


def resolve_weights(backbone: Backbone, weights: str) -> Path | None:
    """File behind ``imagenet``, ``none`` or a path; None for random weights, or a base's own."""
    if backbone.own is not None:
        if weights == "none":
            raise WeightsError(
                f"{backbone.name} brings its own weights, --weights none does not apply; leave "
                "--weights out, or give a .weights.h5 file"
            )
        if weights == "imagenet":
            return None
    if weights == "none":
        return None
    if weights != "imagenet":
        path = Path(weights)
        if not path.is_file():
            raise WeightsError(
                f"weights {weights!r} are not a file; give 'imagenet', 'none' or a .weights.h5 file"
            )
        return path
    if not backbone.facts.weights_file:
        raise WeightsError(
            f"{backbone.name} has no published ImageNet weights; give --weights none or a file, or "
            "set weights in the study"
        )
    return fetched(backbone) or _fetch(backbone)


def weights_digest(path: Path | None, seed: int, backbone: Backbone, size: int) -> str:
    """Digest of the weights a base starts from: of the file, of its own, or of the seed."""
    if path is None:
        if backbone.own is not None:
            return backbone.own(size, seed)
        return f"random-{seed}-keras-{metadata.version('keras')}"
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fetch(backbone: Backbone) -> Path:
    """Have Keras fetch the file; WeightsError in one sentence where it cannot."""
    command = [sys.executable, "-m", "ensemble_kit.models.fetching", backbone.constructor]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    for line in done.stdout.splitlines():
        if line.startswith(MARK):
            return Path(json.loads(line.removeprefix(MARK)))
    reason = (done.stderr.strip().splitlines() or ["no reason was given"])[-1]
    raise WeightsError(
        f"the ImageNet weights of {backbone.name} could not be downloaded "
        f"({' '.join(reason.split())[:200]}); check the network, or give --weights FILE with a "
        "copy, or --weights none"
    )
