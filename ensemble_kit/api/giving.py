"""What is made of a finished run: maps, the page, one file for use elsewhere."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from ensemble_kit.api.given import Member, folder_of, place, several
from ensemble_kit.core.checked import checked


@checked
def explain(
    run: Member,
    images: int | str | Sequence[str] = 40,
    *,
    of: Literal["predicted", "true"] = "predicted",
    store_dir: Path | str = "store",
) -> Path:
    """Draw Grad-CAM maps by the fold models that never saw the images; the folder they are in."""
    from ensemble_kit.workflows.explanation import explain as draw

    return draw(run, images, of=of, store_dir=place(store_dir, "store_dir")).folder


@checked
def report(
    run: Member | None = None,
    *,
    compare: Sequence[Member] | Member = (),
    external: Member | None = None,
    to: Path | str | None = None,
    images_dir: Path | str | None = None,
) -> Path:
    """Write the page of a run, one self-contained HTML file; returns its path.

    compare : runs on the same images to set beside it. external : a run on other data.
    to : default ``reports/<run>.html``. images_dir : for thumbnails, where the images have moved.
    """
    from ensemble_kit.workflows.page import report as write

    return write(
        run, compare=several(compare), external=external,
        to=None if to is None else place(to, "to"),
        images_dir=None if images_dir is None else place(images_dir, "images_dir"),
    ).page  # fmt: skip


@checked
def export(
    run: Member,
    to: Path | str,
    format: str = "keras",
    *,
    coverage: float | None = None,
    quantize: str = "",
    encoded: bool = False,
    overwrite: bool = False,
) -> Path:
    """Export a run as one file that takes pixels 0..255 and gives final probabilities.

    format : keras, savedmodel, onnx, litert or openvino. ``to`` becomes a folder with the model,
    ``bundle.json``, ``predict.py`` and the card. The file is run on reference images first and
    refused where a probability differs by more than 1e-4. quantize : "int8" (onnx), within 1e-2,
    its loss out of fold in ``bundle.json``. encoded : takes JPEG bytes too (savedmodel).
    """
    from ensemble_kit.workflows.export import export as write

    write(
        folder_of(run, "runs"), place(to, "to"), format, coverage=coverage, quantize=quantize,
        encoded=encoded, overwrite=overwrite,
    )  # fmt: skip
    return place(to, "to")
