"""Example images, each with its thumbnail embedded once."""

from ensemble_kit.reporting.view.base import Value


class Picture(Value):
    """``thumbnail`` and ``heatmap``: base64 of a JPEG, "" where absent.
    ``kinds``: why it is shown. ``probabilities``: in the order of the classes."""

    image: str
    group: str
    truth: str
    predicted: str
    fold: int | None = None
    kinds: tuple[str, ...]
    probabilities: tuple[float, ...]
    suspicion: float | None = None
    thumbnail: str = ""
    width: int = 0
    height: int = 0
    heatmap: str = ""
    heatmap_class: str = ""


class Gallery(Value):
    pictures: tuple[Picture, ...] = ()
    note: str = ""
    members: int = 1
