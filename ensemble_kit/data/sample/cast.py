"""Who is in the sample: patients, their lesions, and the pictures of each."""

from dataclasses import dataclass

import numpy as np

SEED = 20
LESIONS = {"nv": 62, "mel": 20, "bkl": 20, "bcc": 15, "akiec": 13, "vasc": 12, "df": 12}
N_PATIENTS = 100
SITES = (
    "back",
    "trunk",
    "face",
    "upper extremity",
    "lower extremity",
    "abdomen",
    "scalp",
    "chest",
)
AGE = {"nv": 43, "mel": 60, "bkl": 63, "bcc": 67, "akiec": 68, "vasc": 50, "df": 51}
HISTOLOGY = {"mel": 1.0, "bcc": 1.0, "akiec": 1.0, "bkl": 0.6, "vasc": 0.3, "df": 0.5, "nv": 0.4}


@dataclass(frozen=True)
class Lesion:
    """seed : determines shape and colours. skin : (0, 1), the patient's skin from pale to tan."""

    name: str
    dx: str
    seed: int
    skin: float


@dataclass(frozen=True)
class View:
    """One picture of a lesion with its metadata, ``""`` where unknown."""

    image_id: str
    lesion: Lesion
    patient: str
    age: str
    sex: str
    site: str
    dx_type: str

    def row(self) -> dict[str, str]:
        """The row of metadata.csv."""
        return {
            "lesion_id": self.lesion.name,
            "image_id": self.image_id,
            "patient_id": self.patient,
            "dx": self.lesion.dx,
            "dx_type": self.dx_type,
            "age": self.age,
            "sex": self.sex,
            "localization": self.site,
        }


def cast() -> list[View]:
    """All pictures of the sample, in the order of their ids."""
    rng = np.random.default_rng(SEED)
    skins = rng.beta(1.6, 2.2, N_PATIENTS)
    sexes = rng.choice(["male", "female", ""], N_PATIENTS, p=[0.52, 0.45, 0.03])
    leaning = rng.normal(0, 8, N_PATIENTS)
    views: list[View] = []
    number = 0
    for dx, n_lesions in LESIONS.items():
        for patient in rng.choice(N_PATIENTS, n_lesions, replace=False).tolist():
            number += 1
            lesion = Lesion(f"S{number:04d}", dx, number, float(skins[patient]))
            years = int(
                np.clip(5 * round((AGE[dx] + leaning[patient] + rng.normal(0, 9)) / 5), 15, 85)
            )
            age = "" if rng.random() < 0.04 else str(years)
            site = "" if rng.random() < 0.05 else str(rng.choice(SITES))
            sure = rng.random() < HISTOLOGY[dx]
            dx_type = "histo" if sure else str(rng.choice(["follow_up", "consensus"]))
            for _ in range(int(rng.choice([1, 2, 3, 4], p=[0.3, 0.35, 0.22, 0.13]))):
                views.append(
                    View("", lesion, f"P{patient:03d}", age, str(sexes[patient]), site, dx_type)
                )
    order = rng.permutation(len(views))
    return [_named(views[place], number) for number, place in enumerate(order.tolist())]


def _named(view: View, number: int) -> View:
    return View(
        f"sample_{number:04d}",
        view.lesion,
        view.patient,
        view.age,
        view.sex,
        view.site,
        view.dx_type,
    )
