"""The card beside an exported file, from the run's ``report.json``."""

from pathlib import Path

from ensemble_kit.core.atomic import write_text
from ensemble_kit.models.export_formats import ExportFormat
from ensemble_kit.reporting.card import card_text
from ensemble_kit.reporting.collect.report import build_report
from ensemble_kit.reporting.storage import read_report, write_report
from ensemble_kit.reporting.view.report import Report
from ensemble_kit.runs.paths import REPORT
from ensemble_kit.workflows.quantized import Quantized
from ensemble_kit.workflows.shipped import Shipped

HAM = (
    "HAM10000 (Tschandl et al. 2018, doi:10.7910/DVN/DBW86T) and the ISIC challenges: "
    "CC BY-NC 4.0. Weights fitted to these images are for non-commercial use."
)
UNKNOWN = (
    "Not recorded: state the licence of the training images, which bounds what may be done with "
    "weights fitted to them."
)
LIBRARIES = {"keras": "keras", "savedmodel": "tensorflow", "onnx": "onnx", "litert": "tflite",
             "openvino": "openvino"}  # fmt: skip


def write_card(
    path: Path, shipped: Shipped, chosen: ExportFormat, quantized: Quantized | None = None
) -> None:
    """Write the card; a run without ``report.json`` gets one, so that card and report agree."""
    report = report_of(shipped.run.folder)
    text = card_text(
        report,
        library=LIBRARIES[chosen.name],
        file=chosen.file,
        input_size=shipped.members[0].spec.image_size,
        licence=_licence(shipped),
        quantized="" if quantized is None else quantized.sentence,
    )
    write_text(path, text)


def report_of(folder: Path) -> Report:
    """The run's own ``report.json``, made where there is none."""
    path = folder / REPORT
    if not path.is_file():
        write_report(path, build_report(folder))
    return read_report(path)


def _licence(shipped: Shipped) -> str:
    ids = shipped.members[0].run.table.image_ids
    return HAM if all(str(name).startswith("ISIC_") for name in ids[:100]) else UNKNOWN
