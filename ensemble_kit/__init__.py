"""k-fold evaluation and ensembling of image classifiers whose images come in groups."""

__version__ = "0.1.0"
