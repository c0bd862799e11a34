"""Fitzpatrick17k (Groh et al. 2021): fitzpatrick17k.csv and <md5hash>.jpg.

``label`` has 114 conditions; ``--columns label=three_partition_label`` or
``nine_partition_label`` asks for the coarser ones. No patients are known.
"""

from ensemble_kit.data.layouts.base import Layout, Place, header_of
from ensemble_kit.data.layouts.tables import read


def recognise(place: Place) -> Layout | None:
    tables = [t for t in place.tables if {"md5hash", "label"} <= header_of(t)]
    if len(tables) != 1:
        return None
    return Layout("Fitzpatrick17k", place.root, tables[0], read)
