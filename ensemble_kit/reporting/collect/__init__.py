"""From a run folder to the view: the only part of the report that reads runs and computes."""
