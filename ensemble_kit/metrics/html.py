"""The headline figures of an evaluation as a small HTML table, for a notebook's cell."""

from html import escape
from typing import TYPE_CHECKING

from ensemble_kit.core.wording import level_text
from ensemble_kit.metrics.registry import METRICS

if TYPE_CHECKING:
    from ensemble_kit.metrics.evaluation import Evaluation


def headline_table(evaluation: "Evaluation") -> str:
    """A row a figure: its words, value, interval, and the groups it rests on."""
    rows, level = [], 0.95
    for metric in METRICS:
        estimate = evaluation.find(metric.name)
        if "headline" not in metric.shown or estimate is None:
            continue
        level, digits = estimate.level, metric.digits
        value = "not estimable" if estimate.value is None else f"{estimate.value:.{digits}f}"
        bounds = ""
        if estimate.low is not None and estimate.high is not None:
            bounds = f"{estimate.low:.{digits}f} to {estimate.high:.{digits}f}"
        rows.append(
            f"<tr><th>{escape(metric.label)}</th><td>{value}</td><td>{bounds}</td>"
            f"<td>{estimate.n_groups:,}</td></tr>"
        )
    interval = f"{level_text(level)} interval"
    head = f"<tr><th></th><th>value</th><th>{interval}</th><th>groups</th></tr>"
    return f'<table class="dataframe"><thead>{head}</thead><tbody>{"".join(rows)}</tbody></table>'
