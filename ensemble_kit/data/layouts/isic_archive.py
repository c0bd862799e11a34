"""The ISIC Archive's export: isic_id, attribution, …, diagnosis_1 to diagnosis_5 (since 2024)."""

from ensemble_kit.data.layouts.base import Layout, Place, header_of
from ensemble_kit.data.layouts.tables import read


def recognise(place: Place) -> Layout | None:
    tables = [t for t in place.tables if {"isic_id", "diagnosis_1"} <= header_of(t)]
    if len(tables) != 1:
        return None
    return Layout("ISIC Archive export", place.root, tables[0], read)
