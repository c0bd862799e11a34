"""How each diagnosis tends to look in the sample, and how much single lesions stray from it."""

from dataclasses import dataclass, fields

import numpy as np

from ensemble_kit.core.records import Floats


@dataclass(frozen=True)
class Type:
    """Typical values of a diagnosis. Colours RGB 0–255; lengths in half picture sides; the
    strengths of structures in 0–1."""

    colour: tuple[int, int, int]
    second: tuple[int, int, int]
    second_from: float = 0.8
    radius: float = 0.5
    irregularity: float = 0.06
    softness: float = 0.05
    opacity: float = 0.8
    network: float = 0.0
    globules: float = 0.0
    cysts: float = 0.0
    lacunae: float = 0.0
    veil: float = 0.0
    scales: float = 0.0
    vessels: float = 0.0
    scar: float = 0.0


@dataclass(frozen=True, eq=False)
class Look:
    """What one lesion looks like: as :class:`Type`; roundness is the ratio of its axes and mesh
    the wave number of its network."""

    colour: Floats
    second: Floats
    second_from: float
    radius: float
    irregularity: float
    softness: float
    opacity: float
    network: float
    globules: float
    cysts: float
    lacunae: float
    veil: float
    scales: float
    vessels: float
    scar: float
    roundness: float
    mesh: float


LOOKS = {
    "nv": Type((142, 92, 62), (112, 68, 46), radius=0.46, network=0.55, globules=0.3),
    "mel": Type((98, 62, 48), (52, 38, 40), 0.2, 0.58, 0.12, 0.06, 0.88, 0.5, 0.35, veil=0.5),
    "bkl": Type((164, 122, 82), (136, 96, 62), 0.4, 0.55, 0.08, 0.025, 0.8, 0.12, cysts=0.7),
    "bcc": Type((214, 150, 142), (186, 120, 116), 0.4, 0.5, 0.09, 0.08, 0.7, veil=0.4, vessels=0.7),
    "akiec": Type(
        (208, 134, 116), (186, 104, 92), 0.3, 0.55, 0.1, 0.11, 0.66, scales=0.7, vessels=0.15
    ),
    "df": Type((176, 130, 102), (160, 108, 84), 0.6, 0.4, 0.05, 0.1, 0.68, 0.3, scar=0.65),
    "vasc": Type((186, 62, 70), (138, 32, 56), 0.3, 0.42, 0.06, 0.035, 0.8, lacunae=0.7),
}
STRUCTURES = ("network", "globules", "cysts", "lacunae", "veil", "scales", "vessels", "scar")


def look_of(dx: str, seed: int) -> Look:
    """The look of one lesion: its type, some of another type, and chance."""
    rng = np.random.default_rng([seed, 1])
    own = LOOKS[dx]
    other = LOOKS[str(rng.choice([name for name in LOOKS if name != dx]))]
    share = float(rng.beta(1.2, 2.6)) * 0.7
    mixed = {
        field.name: (1 - share) * np.asarray(getattr(own, field.name), np.float64)
        + share * np.asarray(getattr(other, field.name), np.float64)
        for field in fields(Type)
    }
    shift = rng.normal(0, 7, 3) + rng.normal(0, 13)
    spread = np.exp(rng.normal(0, 0.22, 3))
    strengths = {
        name: float(np.clip(mixed[name] * rng.lognormal(0, 0.45), 0, 0.95)) for name in STRUCTURES
    }
    return Look(
        colour=mixed["colour"] + shift,
        second=mixed["second"] + shift + rng.normal(0, 6, 3),
        second_from=float(mixed["second_from"] + rng.normal(0, 0.4)),
        radius=float(np.clip(mixed["radius"] * spread[0], 0.24, 0.8)),
        irregularity=float(mixed["irregularity"] * spread[1]),
        softness=float(mixed["softness"] * spread[2]),
        opacity=float(np.clip(mixed["opacity"] + rng.normal(0, 0.1), 0.4, 0.95)),
        roundness=float(rng.uniform(0.68, 1.0)),
        mesh=float(rng.uniform(38, 58)),
        **strengths,
    )
