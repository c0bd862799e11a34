"""A table with its words that a run may have beside the usual parts: costs, plans, audits."""

from ensemble_kit.reporting.view.base import Table, Value


class Supplement(Value):
    """section : the key of the page's section it is shown at the end of."""

    section: str
    title: str
    text: str
    table: Table
