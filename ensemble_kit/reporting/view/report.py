"""The whole view."""

from ensemble_kit.reporting.view.base import Alert, MetricsTable, Number, Value
from ensemble_kit.reporting.view.calibration import Calibration
from ensemble_kit.reporting.view.comparison import Compared, External
from ensemble_kit.reporting.view.data import Data
from ensemble_kit.reporting.view.ensemble import Conformal, Ensemble
from ensemble_kit.reporting.view.explorer import Explorer
from ensemble_kit.reporting.view.images import Gallery
from ensemble_kit.reporting.view.performance import Performance
from ensemble_kit.reporting.view.provenance import Provenance
from ensemble_kit.reporting.view.slices import Slices
from ensemble_kit.reporting.view.supplement import Supplement
from ensemble_kit.reporting.view.training import Training, Tuning

REPORT_VERSION = 2


class Report(Value):
    """Everything the page shows. A part that is None or empty was not made; the page says which
    command makes it. ``metrics``: the tidy table of ``metrics.csv``."""

    report_version: int
    name: str
    description: str = ""
    headline: dict[str, Number]
    alerts: tuple[Alert, ...] = ()
    data: Data
    performance: Performance
    explorer: Explorer
    calibration: Calibration = Calibration()
    ensemble: Ensemble | None = None
    conformal: Conformal | None = None
    slices: Slices = Slices()
    images: Gallery = Gallery()
    training: Training = Training()
    tuning: Tuning | None = None
    provenance: Provenance
    compared: tuple[Compared, ...] = ()
    external: External | None = None
    supplements: tuple[Supplement, ...] = ()
    metrics: MetricsTable = MetricsTable()
