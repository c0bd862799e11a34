"""Layer one of the report: numbers only, frozen, and whole in ``report.json``."""
