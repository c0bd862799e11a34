"""PAD-UFES-20 (Pacheco et al., Data in Brief 32, 106221, 2020): metadata.csv and PNG images.

Its lesion numbers are counted within a patient; see ``dataset.py`` for how they are told apart.
"""

from ensemble_kit.data.layouts.base import Layout, Place, header_of
from ensemble_kit.data.layouts.tables import read

COLUMNS = {"img_id", "diagnostic", "patient_id", "lesion_id"}


def recognise(place: Place) -> Layout | None:
    tables = [t for t in place.tables if header_of(t) >= COLUMNS]
    if len(tables) != 1:
        return None
    return Layout("PAD-UFES-20", place.root, tables[0], read)
