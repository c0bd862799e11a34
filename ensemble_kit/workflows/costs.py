"""``--costs``: the action of least expected cost for each image, and what it costs on average."""

from pathlib import Path

import numpy as np
import pandas as pd

from ensemble_kit.core.errors import DataError, StudyError, some
from ensemble_kit.core.formulas import check_no_formula
from ensemble_kit.core.names import check_shown
from ensemble_kit.core.records import (
    Bools,
    Estimate,
    Floats,
    Folds,
    ImageTable,
    Ints,
    Predictions,
)
from ensemble_kit.data.tables import read_table
from ensemble_kit.metrics.means import mean_by_groups
from ensemble_kit.posthoc.costs import REFER, CostTable, fit_calibrated
from ensemble_kit.posthoc.crossfit import Members, crossfit_rows, rows_of
from ensemble_kit.runs.costs import ClassCostLine, CostsRecord, PolicyLine, write_actions
from ensemble_kit.runs.manifest import record_files

DECIDED, LIKELIEST = "least expected cost", "likeliest class"
CROSS_FITTED = (
    "The probabilities were calibrated by temperature and class biases fitted to the other folds; "
    "the costs were given, not fitted."
)
AS_GIVEN = (
    "The probabilities were taken as they are, for no folds are known to calibrate them by: where "
    "they are too sure, so are the decisions."
)
OF_CHAIN = "The probabilities are the cross-fitted ensemble's; the costs were given, not fitted."
MOST_CONSTANT = 12

MOST_COST = 1e12


def read_costs(path: Path, class_names: tuple[str, ...]) -> CostTable:
    """A table of costs: its first column names every class once, each other column is an action.

    The action "refer" is a referral. Raises DataError, StudyError naming what does not fit.
    """
    frame = read_table(path).frame
    columns = [str(name).strip() for name in frame.columns]
    actions = tuple(columns[1:])
    if len(actions) < 2:
        raise StudyError(
            f"{path}: one action leaves nothing to decide; the first column names the classes, "
            "each further column is an action"
        )
    check_shown(actions, f"{path}: action", StudyError)
    check_no_formula(actions, f"{path}: action", StudyError)
    lower = [name.lower() for name in actions]
    if twice := sorted({name for name in lower if lower.count(name) > 1 or not name}):
        raise StudyError(f"{path}: action {some(twice)} has no name or stands there twice")
    rows = [str(name).strip() for name in frame.iloc[:, 0]]
    place = {name.lower(): row for row, name in enumerate(rows)}
    wanted = [name.lower() for name in class_names]
    if len(place) != len(rows) or set(place) != set(wanted):
        apart = [name for name in (*rows, *class_names)
                 if (name.lower() in place) != (name.lower() in wanted)]  # fmt: skip
        apart = apart or sorted({r for r in rows if [*map(str.lower, rows)].count(r.lower()) > 1})
        raise StudyError(
            f"{path}: its rows must be the classes {some(class_names)}, each once; at fault: "
            f"{some(apart)}"
        )
    numbers = frame.iloc[[place[name] for name in wanted], 1:].apply(
        lambda column: pd.to_numeric(column.str.replace(",", ".", regex=False), errors="coerce")
    )
    costs = numbers.to_numpy(dtype=np.float64)
    fit = np.abs(costs) <= MOST_COST
    if not fit.all():
        row, column = (int(k[0]) for k in np.nonzero(~fit))
        raise DataError(
            f"{path}: the cost of {actions[column]} for {class_names[row]} is no number, or beyond "
            f"{MOST_COST:g}; give one for every class and action"
        )
    return CostTable(tuple(class_names), actions, costs)


def calibrated_by_folds(
    table: ImageTable, folds: Folds, predictions: Predictions
) -> tuple[Floats, str]:
    """(n, C) probabilities, calibrated on the other folds where there are folds, and what was
    done, in a sentence."""
    p = predictions.in_order_of(table.image_ids).probabilities
    if folds.n_folds < 2:
        return p, AS_GIVEN
    members = Members(("model",), table.image_ids, table.class_names, p[None])
    return crossfit_rows(fit_calibrated, rows_of(members, table.labels, folds)).output, CROSS_FITTED


def judge_costs(
    table: ImageTable, probabilities: Floats, costs: CostTable, fitted: str, level: float = 0.95
) -> CostsRecord:
    """What the decisions cost, beside the likeliest class and every single action for all."""
    labels, groups = table.labels, table.group_codes
    taken = costs.decide(probabilities)
    paid = costs.paid(labels, taken)
    ends = float(costs.costs.min()), float(costs.costs.max())

    def price(values: Floats, rows: Bools | slice = slice(None)) -> Estimate:
        return mean_by_groups(values[rows], groups[rows], level, bounds=ends)

    lower = [name.lower() for name in costs.actions]
    referral = lower.index(REFER) if REFER in lower else -1

    def line(name: str, actions: Ints, fixed: int | None = None) -> PolicyLine:
        own = costs.paid(labels, actions)
        away = mean_by_groups((actions == referral).astype(float), groups, level, "logit")
        if fixed is not None:  # one action for all: what is referred does not depend on images
            away = Estimate(float(fixed == referral), None, None, level, "", "group", 0)
        return PolicyLine(
            name=name,
            cost=price(own),
            minus_decided=None if name == DECIDED else mean_by_groups(own - paid, groups, level),
            referred=away if referral >= 0 else None,
        )

    policies = [line(DECIDED, taken)]
    answers = costs.answers()
    if answers is not None:
        policies.append(line(LIKELIEST, answers[probabilities.argmax(axis=1)]))
    for number, action in enumerate(costs.actions[:MOST_CONSTANT]):
        policies.append(line(f"{action} for all", np.full(len(labels), number), number))
    kept = taken != referral
    return CostsRecord(
        class_names=costs.class_names,
        actions=costs.actions,
        costs=tuple(tuple(row) for row in costs.costs.tolist()),
        fitted=fitted,
        policies=tuple(policies),
        kept=price(paid, kept) if referral >= 0 else None,
        by_class=tuple(
            ClassCostLine(
                name=name,
                n_images=int((labels == code).sum()),
                cost=price(paid, labels == code),
                taken={
                    action: int(((labels == code) & (taken == number)).sum())
                    for number, action in enumerate(costs.actions)
                },
            )
            for code, name in enumerate(costs.class_names)
        ),
    )


def write_costs(
    folder: Path, table: ImageTable, probabilities: Floats, costs: CostTable, record: CostsRecord
) -> None:
    """Add ``costs.json`` and ``actions.csv`` to a finished run folder."""
    taken, expected = costs.decide(probabilities), costs.expected(probabilities)
    lines = [
        (str(image), costs.actions[action], float(expected[row, action]))
        for row, (image, action) in enumerate(
            zip(table.image_ids.tolist(), taken.tolist(), strict=True)
        )
    ]
    record_files(folder, [record.write(folder), write_actions(folder, lines)])
