"""Tables of probabilities in ISIC's submission format: ``image`` and a column a class."""

from pathlib import Path

import numpy as np
import pandas as pd

from ensemble_kit.core.errors import PredictionsError, reason
from ensemble_kit.core.records import Predictions


def predictions_csv(predictions: Predictions) -> str:
    """The table as CSV text; numbers in the shortest form that reads back exactly."""
    frame = pd.DataFrame(predictions.probabilities, columns=list(predictions.class_names))
    frame.insert(0, "image", predictions.image_ids)
    return frame.to_csv(index=False)


def read_predictions(path: Path) -> Predictions:
    """Read a table as written by :func:`predictions_csv`."""
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise PredictionsError(f"{path}: cannot be read ({reason(error)})") from None
    if frame.columns[0] != "image":
        raise PredictionsError(f"{path}: the first column must be 'image'")
    names = tuple(str(name) for name in frame.columns[1:])
    try:
        values = frame[list(names)].to_numpy(dtype=np.str_).astype(np.float64)
    except ValueError as error:
        raise PredictionsError(f"{path}: {error}; every column after 'image' is numeric") from None
    ids = np.asarray(frame["image"].to_numpy(), dtype=np.str_)
    return Predictions(ids, names, values, str(path))
