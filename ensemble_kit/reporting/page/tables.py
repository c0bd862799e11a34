"""The tables behind the figures, from the view."""

from collections import Counter
from collections.abc import Iterator, Sequence

from ensemble_kit.reporting.view.base import Cell, Number, Table
from ensemble_kit.reporting.view.calibration import Measure, Reliability
from ensemble_kit.reporting.view.performance import NetBenefit, RankingCurve, Risk, Scores
from ensemble_kit.reporting.view.report import Report
from ensemble_kit.reporting.view.training import FoldHistory, Tuning

STEPS = 11


def value_of(number: Number | None) -> float | None:
    return number.value if number else None


def fold_mean(folds: Sequence[Scores], metric: str) -> float | None:
    """Mean over the folds that have the figure; None where a fold lacks it."""
    values = [value_of(fold.figures.get(metric)) for fold in folds]
    known = [v for v in values if v is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None


def curve_rows(curves: Sequence[RankingCurve]) -> Iterator[tuple[float, list[Number | None]]]:
    """Every curve's value with its band at eleven points of its grid, 0 to 1."""
    for step in range(STEPS):
        x = step / (STEPS - 1)
        yield x, [_at(curve, x) for curve in curves]


def confusion_rows(counts: Sequence[Sequence[int]], kind: str) -> list[list[tuple[str, int]]]:
    """Each cell's text and its depth of colour, 0 to 10; ``kind``: count, row or column."""
    columns = [sum(column) for column in zip(*counts, strict=True)]
    rows = []
    for row in counts:
        total = sum(row)
        cells = []
        for place, count in enumerate(row):
            whole = columns[place] if kind == "column" else total
            share = count / whole if whole else 0.0
            blank = kind != "count" and not whole
            text = f"{count:,}" if kind == "count" else "–" if blank else f"{100 * share:.1f}"
            cells.append((text, heat(share)))
        rows.append(cells)
    return rows


def heat(share: float | None) -> int:
    """A share in [0, 1] as one of eleven depths of colour."""
    return 0 if share is None else round(10 * min(max(share, 0.0), 1.0))


def net_benefit_table(view: NetBenefit) -> Table:
    """Every tenth of the thresholds."""
    every = max(1, len(view.thresholds) // 20)
    rows = []
    for place in range(0, len(view.thresholds), every):
        low = view.low[place] if view.low else None
        high = view.high[place] if view.high else None
        treat = view.treat_all[place] if view.treat_all else None
        rows.append((view.thresholds[place], view.model[place], low, high, treat))
    return Table(columns=("threshold", "model", "low", "high", "treat all"), rows=tuple(rows))


def risk_table(view: Risk) -> Table:
    """Every tenth of the images kept, and what is referred."""
    rows: list[tuple[Cell, ...]] = []
    for place, kept in enumerate(view.coverages):
        if round(100 * kept) % 10 and kept != 0.95:
            continue
        low = view.low[place] if view.low else None
        high = view.high[place] if view.high else None
        rows.append((kept, round(1 - kept, 4), view.risk[place], low, high))
    return Table(columns=("kept", "referred", "wrong among kept", "low", "high"), rows=tuple(rows))


def measures_by_class(measures: Sequence[Measure]) -> dict[str, dict[str, Measure]]:
    """class -> metric -> measure, for a table with a row a class."""
    found: dict[str, dict[str, Measure]] = {}
    for measure in measures:
        if measure.class_name:
            found.setdefault(measure.class_name, {})[measure.metric] = measure
    return found


def history_table(folds: Sequence[FoldHistory]) -> Table:
    names = list(dict.fromkeys(name for fold in folds for name in fold.series))
    rows: list[tuple[Cell, ...]] = []
    for fold in folds:
        for epoch, phase in enumerate(fold.phases):
            values = [
                series[epoch] if (series := fold.series.get(name)) and epoch < len(series) else None
                for name in names
            ]
            rows.append((fold.fold, phase, epoch + 1, *values))
    return Table(columns=("fold", "phase", "epoch", *names), rows=tuple(rows))


def cost_table(folds: Sequence[FoldHistory]) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (f.fold, len(f.phases), f.seconds, f.images_per_second, f.peak_memory_mb) for f in folds
    ]
    names = ("fold", "epochs", "seconds", "images a second, last phase", "peak memory, MB")
    return Table(columns=names, rows=tuple(rows))


def tuning_parameters(study: Tuning) -> list[str]:
    """The parameters in order of importance, then of name; at most twelve."""
    names = {name for trial in study.trials for name in trial.parameters}
    return sorted(names, key=lambda name: (-study.importance.get(name, 0.0), name))[:12]


def trial_states(study: Tuning) -> list[tuple[str, int]]:
    return sorted(Counter(trial.state for trial in study.trials).items())


def trial_table(study: Tuning) -> Table:
    names = tuning_parameters(study)
    rows: list[tuple[Cell, ...]] = [
        (
            t.number,
            t.state.lower(),
            t.value,
            t.pruned_after,
            t.seconds,
            *(t.parameters.get(name) for name in names),
        )
        for t in study.trials
    ]
    head = ("trial", "state", study.metric, "folds before pruning", "seconds")
    return Table(columns=head + tuple(names), rows=tuple(rows))


def provenance_rows(report: Report) -> list[tuple[str, str]]:
    """What, and what was recorded of it."""
    v, d = report.provenance, report.data
    changed = " with uncommitted changes" if v.git_dirty else ""
    rows = [
        ("made", f"{v.created} to {v.finished}" if v.finished else v.created),
        ("kind of run", v.kind),
        ("seed", str(v.seed)),
        ("code", f"git {v.git_commit}{changed}" if v.git_commit else "not recorded"),
        ("digest of the study", v.spec_digest),
        ("digest of the data", d.data_digest),
        ("digest of the folds", d.folds_digest),
        ("device", ", ".join(f"{key} {text}" for key, text in v.device.items())),
        ("versions", ", ".join(f"{key} {text}" for key, text in v.versions.items())),
    ]
    return [(key, text or "not recorded") for key, text in rows]


def named(views: Sequence[Reliability], name: str) -> Reliability | None:
    """The diagram of one class, if it is there."""
    return next((view for view in views if view.name == name), None)


def _at(curve: RankingCurve, x: float) -> Number | None:
    place = min(range(len(curve.x)), key=lambda i: abs(curve.x[i] - x), default=None)
    if place is None:
        return None
    low = curve.low[place] if curve.low else None
    high = curve.high[place] if curve.high else None
    return Number(value=curve.y[place], low=low, high=high, note="undefined here")
