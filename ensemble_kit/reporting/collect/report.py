"""The whole view of a run."""

from collections.abc import Sequence
from pathlib import Path

from ensemble_kit.metrics.registry import shown_in
from ensemble_kit.reporting.collect.alerts import build_alerts, changed_files
from ensemble_kit.reporting.collect.calibration import build_calibration
from ensemble_kit.reporting.collect.checklist import fill_checklist
from ensemble_kit.reporting.collect.comparison import build_comparisons, build_external
from ensemble_kit.reporting.collect.data import build_data
from ensemble_kit.reporting.collect.ensemble import (
    add_calibrator,
    build_conformal,
    build_ensemble,
    member_probabilities,
)
from ensemble_kit.reporting.collect.explorer import build_explorer
from ensemble_kit.reporting.collect.gallery import build_gallery
from ensemble_kit.reporting.collect.numbers import metrics_table
from ensemble_kit.reporting.collect.performance import build_performance
from ensemble_kit.reporting.collect.provenance import build_provenance
from ensemble_kit.reporting.collect.slices import build_slices
from ensemble_kit.reporting.collect.source import ReportedRun
from ensemble_kit.reporting.collect.supplements import build_supplements
from ensemble_kit.reporting.collect.training import build_training, build_tuning
from ensemble_kit.reporting.view.base import Number
from ensemble_kit.reporting.view.report import REPORT_VERSION, Report
from ensemble_kit.runs.folder import read_run


def build_report(
    folder: Path,
    *,
    compare: Sequence[Path] = (),
    external: Path | None = None,
    n_images: int = 40,
    images_dir: Path | None = None,
    trust_changed: bool = False,
) -> Report:
    """Read a finished run and gather everything the page shows.

    compare : folders of runs on the same images. external : folder of a run on other data.
    images_dir : folder of the image files, where the run does not know it. trust_changed : read
    files that are not as the run wrote them; the page says which.
    Raises RunError for runs that are missing, damaged or do not fit.
    """
    source = ReportedRun(read_run(folder, trust_changed=trust_changed), images_dir)
    others = [ReportedRun(read_run(path, trust_changed=trust_changed)) for path in compare]
    away = None
    if external:
        away = ReportedRun(read_run(external, trust_changed=trust_changed))
    report = Report(
        report_version=REPORT_VERSION,
        name=source.run.name,
        description=source.study.description,
        headline=_headline(source),
        alerts=(
            *changed_files([source, *others, *([away] if away else [])]),
            *build_alerts(source, away),
        ),
        data=build_data(source),
        performance=build_performance(source),
        explorer=build_explorer(source),
        calibration=add_calibrator(source, build_calibration(source)),
        ensemble=build_ensemble(source),
        conformal=build_conformal(source),
        slices=build_slices(source),
        images=build_gallery(source, n_images, member_probabilities(source)),
        training=build_training(source),
        tuning=build_tuning(source),
        provenance=build_provenance(source),
        compared=build_comparisons(source, others),
        external=build_external(source, away) if away else None,
        supplements=build_supplements(source),
        metrics=metrics_table(source.rows.all),
    )
    made = report.provenance.model_copy(update={"checklist": fill_checklist(report)})
    return report.model_copy(update={"provenance": made})


def _headline(source: ReportedRun) -> dict[str, Number]:
    whole = source.rows.figures()
    return {metric: whole[metric] for metric in shown_in("headline") if metric in whole}
