"""Drawing one dermoscopy-like picture: skin, a lesion with its structures, hairs, light."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from ensemble_kit.core.records import Floats
from ensemble_kit.data.sample.cast import Lesion
from ensemble_kit.data.sample.looks import Look, look_of

SIDE = 112
_AXIS = (np.arange(SIDE) - (SIDE - 1) / 2) / (SIDE / 2)
_X, _Y = np.meshgrid(_AXIS, _AXIS)
PALE, TAN = np.array([238, 205, 188.0]), np.array([196, 146, 112.0])


@dataclass(frozen=True, eq=False)
class Plane:
    """Linear coordinates on the picture: ``matrix @ (xy - shift)``, (2, 2) and (2,)."""

    matrix: Floats
    shift: Floats


PICTURE = Plane(np.eye(2), np.zeros(2))


@dataclass(frozen=True, eq=False)
class Stage:
    """The lesion's own coordinates in this view: (S, S) u, v; its mask (S, S) in [0, 1]."""

    plane: Plane
    u: Floats
    v: Floats
    mask: Floats


def draw(lesion: Lesion, view: np.random.Generator) -> NDArray[np.uint8]:
    """One picture, ``(112, 112, 3)`` uint8 RGB.

    The lesion's look comes from its seed alone; ``view`` draws angle, zoom, light and hairs.
    """
    look = look_of(lesion.dx, lesion.seed)
    own = np.random.default_rng([lesion.seed, 3])
    stage = _stage(look, own, view)
    skin = _skin(lesion.skin, view)
    picture = _paint(skin, stage, look, own)
    picture = _structures(picture, stage, look, own)
    picture = _hairs(picture, view)
    picture = _light(picture, view)
    return np.asarray(np.clip(np.rint(picture), 0, 255), np.uint8)


def waves(plane: Plane, rng: np.random.Generator, frequency: float, n: int = 10) -> Floats:
    """(S, S) smooth noise of about unit variance: a sum of ``n`` plane waves.

    A plane wave is a product of a wave along x and one along y, so the sum is one small matrix
    product: cos(ax + by + c) = Re(e^(iax) e^(i(by + c))).
    """
    angle, phase = rng.uniform(0, 2 * np.pi, (2, n))
    k = frequency * rng.uniform(0.5, 1.5, n) * np.stack([np.cos(angle), np.sin(angle)])
    a, b = plane.matrix.T @ k
    c = phase - plane.shift @ np.stack([a, b])
    along_y = np.exp(1j * (np.outer(_AXIS, b) + c))
    along_x = np.exp(1j * np.outer(a, _AXIS))
    both = np.einsum("yn,nx->yx", along_y.real, along_x.real)
    both -= np.einsum("yn,nx->yx", along_y.imag, along_x.imag)
    return np.asarray(both * np.sqrt(2 / n))


def spots(stage: Stage, rng: np.random.Generator, n: int, reach: float, width: float) -> Floats:
    """(S, S) in [0, 1]: ``n`` soft round spots within ``reach`` of the centre."""
    nearest = np.full_like(stage.u, np.inf)
    radii, angles = reach * np.sqrt(rng.random(n)), rng.uniform(0, 2 * np.pi, n)
    sizes = width * rng.uniform(0.6, 1.4, n)
    for radius, angle, size in zip(radii, angles, sizes, strict=True):
        u, v = stage.u - radius * np.cos(angle), stage.v - radius * np.sin(angle)
        np.minimum(nearest, (u * u + v * v) / (size * size), out=nearest)
    return np.asarray(np.exp(-np.minimum(nearest * nearest, 60)))


def _stage(look: Look, own: np.random.Generator, view: np.random.Generator) -> Stage:
    turn, zoom = view.uniform(0, 2 * np.pi), view.uniform(0.88, 1.14)
    shift = view.normal(0, 0.06, 2)
    turned = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) / zoom
    plane = Plane(turned / np.array([[1.0], [look.roundness]]), shift)
    x, y = _X - shift[0], _Y - shift[1]
    u, v = (row[0] * x + row[1] * y for row in plane.matrix)
    angle = np.arctan2(v, u)
    border = np.full_like(u, look.radius)
    for k in range(2, 9):
        swing = look.irregularity * own.normal() / k**0.8
        border = border * (1 + swing * np.cos(k * angle + own.uniform(0, 2 * np.pi)))
    border = border + 0.025 * look.irregularity * 4 * waves(plane, own, 16)
    distance = (border - np.hypot(u, v)) / look.softness
    return Stage(plane, u, v, 1 / (1 + np.exp(-np.clip(distance, -30, 30))))


def _skin(tone: float, view: np.random.Generator) -> Floats:
    base = PALE + (TAN - PALE) * tone + view.normal(0, 3, 3)
    shade = 4 * waves(PICTURE, view, 3, 5) + 2.5 * waves(PICTURE, view, 14, 8)
    grooves = np.abs(waves(PICTURE, view, 26, 4))
    return np.asarray(base + (shade - 5 * np.exp(-grooves * 5))[..., None] * [0.8, 1.0, 1.0])


def _paint(skin: Floats, stage: Stage, look: Look, own: np.random.Generator) -> Floats:
    """The body of the lesion: its colours side by side, more or less see-through."""
    patches = waves(stage.plane, own, 5)
    second = 1 / (1 + np.exp(-4 * (patches - look.second_from)))
    body = look.colour + (look.second - look.colour) * second[..., None]
    centre = np.exp(-((np.hypot(stage.u, stage.v) / (0.55 * look.radius)) ** 4))[..., None]
    body = body + (np.array([244, 226, 218]) - body) * look.scar * centre
    body = body * (1 + 0.07 * waves(stage.plane, own, 11)[..., None])
    return np.asarray(skin + (body - skin) * (look.opacity * stage.mask)[..., None])


def _structures(picture: Floats, stage: Stage, look: Look, own: np.random.Generator) -> Floats:
    u, v, mask = stage.u, stage.v, stage.mask
    bent_u, bent_v = u + 0.02 * waves(stage.plane, own, 9), v + 0.02 * waves(stage.plane, own, 9)
    k = look.mesh
    rows = [
        np.cos(k * (bent_u * c + bent_v * s)) for c, s in ((1, 0), (-0.5, 0.866), (-0.5, -0.866))
    ]
    net = np.exp(-2.2 * (rows[0] + rows[1] + rows[2] + 1.5))
    rim = np.clip(np.hypot(u, v) / look.radius, 0.25, 1)
    layers = (
        (np.array([70, 42, 28]), look.network * net * rim),
        (np.array([52, 34, 30]), look.globules * spots(stage, own, 16, 0.85 * look.radius, 0.05)),
        (np.array([250, 238, 205]), look.cysts * spots(stage, own, 11, 0.75 * look.radius, 0.045)),
        (np.array([150, 12, 40]), look.lacunae * spots(stage, own, 13, 0.8 * look.radius, 0.13)),
        (np.array([96, 104, 132]), look.veil * spots(stage, own, 4, 0.6 * look.radius, 0.22)),
        (np.array([250, 244, 236]), look.scales * np.clip(waves(stage.plane, own, 24) - 0.6, 0, 1)),
        (np.array([190, 40, 48]), look.vessels * _vessels(stage, own, look.radius)),
    )
    for colour, strength in layers:
        picture = picture + (colour - picture) * np.clip(strength * mask, 0, 0.95)[..., None]
    return picture


def _vessels(stage: Stage, own: np.random.Generator, radius: float) -> Floats:
    """(S, S) in [0, 1]: a few winding lines, thinner to their ends."""
    lines = np.zeros_like(stage.u)
    for _ in range(4):
        start, turn = own.uniform(0, 2 * np.pi), own.uniform(0, 2 * np.pi)
        along = stage.u * np.cos(turn) + stage.v * np.sin(turn)
        across = stage.v * np.cos(turn) - stage.u * np.sin(turn)
        bend = own.normal(0, 0.4) * radius + 0.08 * np.sin(along * own.uniform(8, 16) + start)
        width = 0.018 * np.clip(1.6 - np.abs(along) / radius, 0.4, 1.6)
        lines = np.maximum(lines, np.exp(-(((across - bend) / width) ** 2)))
    return lines


def _hairs(picture: Floats, view: np.random.Generator) -> Floats:
    n_hairs = int(view.choice([0, 0, 0, 0, 1, 3, 7]))
    if not n_hairs:
        return picture
    layer = Image.new("L", (2 * SIDE, 2 * SIDE))
    pen = ImageDraw.Draw(layer)
    steps = np.linspace(-1.5, 1.5, 24)
    common = view.uniform(0, np.pi)
    for _ in range(n_hairs):
        angle, offset = common + view.normal(0, 0.4), view.uniform(-1, 1)
        bend = view.normal(0, 0.15)
        across = offset + bend * steps**2
        x = SIDE * (1 + steps * np.cos(angle) - across * np.sin(angle))
        y = SIDE * (1 + steps * np.sin(angle) + across * np.cos(angle))
        pen.line(
            list(zip(x.tolist(), y.tolist(), strict=True)),
            fill=int(view.integers(130, 230)),
            width=2,
        )
    soft = layer.filter(ImageFilter.GaussianBlur(0.8)).resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(
        picture + (np.array([58, 40, 32]) - picture) * (np.asarray(soft)[..., None] / 255)
    )


def _light(picture: Floats, view: np.random.Generator) -> Floats:
    radius = np.hypot(_X, _Y)
    fall = 1 - view.uniform(0.02, 0.14) * radius**2
    if view.random() < 0.18:
        fall = fall * (0.12 + 0.88 / (1 + np.exp((radius - view.uniform(1.06, 1.2)) * 45)))
    tint = view.normal(1, 0.02, 3) * view.normal(1, 0.06)
    lit = picture * fall[..., None] * tint
    if view.random() < 0.3:
        x, y = view.uniform(-0.8, 0.8, 2)
        glare = np.exp(-(((_X - x) ** 2 + (_Y - y) ** 2) / 0.004))[..., None]
        lit = lit + (255 - lit) * 0.7 * glare
    return np.asarray(lit + view.normal(0, 2.2, lit.shape))
