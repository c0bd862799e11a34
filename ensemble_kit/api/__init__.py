"""The package's functions as a notebook or a script calls them (``import ensemble_kit as ek``).

Each calls one workflow and adds progress, in a terminal and in a notebook; ``progress=False``
leaves it out. All raise ``EnsembleKitError`` for what was given wrongly.
"""
