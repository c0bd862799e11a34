"""Layer three of the report: the view and its figures as one self-contained page."""
