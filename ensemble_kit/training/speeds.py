"""How fast this machine worked so far, kept beside the stores; what a plan will take by it.

A rate that was never measured here is taken from another image size, by the number of pixels, or
else guessed from the architecture; a forecast says which.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from filelock import FileLock

from ensemble_kit.core.atomic import write_json
from ensemble_kit.core.errors import OutputError, count
from ensemble_kit.core.json_text import parse_json
from ensemble_kit.core.machine import cores, processor
from ensemble_kit.models import find_backbone
from ensemble_kit.models.own import absolute
from ensemble_kit.study import StudySpec

Work = Literal["forward", "head", "blocks", "rest"]
"""What is counted: passes through all frozen layers; rows × views (or epochs) of
the head's phase; rows × epochs of the last blocks; held-out rows × views of all else."""
FILE, VERSION = "speeds.json", 1
FEWEST = 64
"""Images below which a rate says more about starting than about working."""
STEP_SECONDS = 0.03
"""What a training step takes whatever its network, where nothing was measured."""
Basis = Literal["measured", "scaled", "guessed"]


@dataclass(frozen=True)
class Rate:
    """images_per_second, and what it rests on."""

    images_per_second: float
    basis: Basis


@dataclass(frozen=True)
class Forecast:
    """Seconds to fill the stores and to train, and the weakest basis of each rate behind them."""

    fill_seconds: float
    train_seconds: float
    basis: Basis

    @property
    def told(self) -> str:
        """In words, with what it rests on."""
        return f"{time_text(self.fill_seconds + self.train_seconds)} in all, {BASES[self.basis]}"


BASES: Mapping[Basis, str] = {
    "measured": "by rates measured on this machine",
    "scaled": "by rates measured on this machine at another image size",
    "guessed": "a guess: not all of this was timed on this machine yet",
}


def remember(store_dir: Path, spec: StudySpec, work: Work, images: int, seconds: float) -> None:
    """Keep a rate; too few images are not kept. A file that cannot be written is no error."""
    if images < FEWEST or seconds <= 0:
        return
    path = store_dir / FILE
    try:
        store_dir.mkdir(parents=True, exist_ok=True)
        with FileLock(store_dir / f".{FILE}.lock"):
            known = _read(path)
            known[_key(spec, work, spec.model.image_size)] = images / seconds
            write_json(path, {"version": VERSION, "rates": known})
    except (OSError, OutputError):
        return


def rate_of(store_dir: Path, spec: StudySpec, work: Work) -> Rate:
    """The rate of some work of a study on this machine."""
    size, known = spec.model.image_size, _read(store_dir / FILE)
    if (exact := known.get(_key(spec, work, size))) is not None:
        return Rate(exact, "measured")
    start, end = _key(spec, work, -1).split("-1 px", 1)
    others = {
        int(key[len(start) : -len(end)].removesuffix(" px")): rate
        for key, rate in known.items()
        if key.startswith(start) and key.endswith(end)
    }
    if others:
        nearest = min(others, key=lambda other: abs(other - size))
        same = work == "head"
        return Rate(others[nearest] * (1 if same else (nearest / size) ** 2), "scaled")
    return Rate(_guess(store_dir, spec, work), "guessed")


def forward_rates(store_dir: Path, backbone: str) -> dict[int, float]:
    """images/s through all layers measured on this machine, by image size in pixels."""
    start, end = f"{_machine()}, {absolute(backbone)}, ", "forward"
    rates = {}
    for key, rate in _read(store_dir / FILE).items():
        if key.startswith(start) and key.endswith(end):
            rates[int(key.removeprefix(start).split(" px")[0])] = rate
    return dict(sorted(rates.items()))


def _guess(store_dir: Path, spec: StudySpec, work: Work) -> float:
    """By the forward pass (as measured, or the architecture's first guess), the share of the blocks
    that are trained, three times a forward pass each, and the steps' own time."""
    backbone, size = find_backbone(spec.model.backbone), spec.model.image_size
    if work == "forward":
        return backbone.speed * (128 / size) ** 2
    forward = rate_of(store_dir, spec, "forward").images_per_second
    if work == "head":
        return 12 * forward
    share = spec.model.unfreeze_depth / backbone.n_blocks
    if work == "rest":
        return forward / max(share, 0.2)
    whole = 1 - share if spec.training.augment == "online" else 0.0
    return 1 / ((whole + 3 * share) / forward + STEP_SECONDS / spec.training.batch_size)


def forecast(
    store_dir: Path, spec: StudySpec, rows: int, views: int, passes: int, folds: int | None = None
) -> Forecast:
    """What filling the stores and training some folds will take.

    rows : images in the folds. views : stored of each. passes : images × views still to go through
    the frozen layers. folds : fold models to train; default: all of the study's.
    """
    training, k = spec.training, spec.split.folds
    models = spec.split.folds * spec.split.repeats if folds is None else folds
    epochs = views if training.head == "probe" else training.head_epochs
    share = (k - 1) / k
    work: dict[Work, float] = {
        "head": models * rows * share * epochs,
        "rest": models * rows / k * training.averaged_views(views),
    }
    if spec.model.unfreeze_depth and training.fine_tune_epochs:
        work["blocks"] = models * rows * share * training.fine_tune_epochs
    if passes:
        work["forward"] = passes
    rates = {name: rate_of(store_dir, spec, name) for name in work}
    seconds = {name: images / rates[name].images_per_second for name, images in work.items()}
    weakest: Basis = "measured"
    for basis in ("scaled", "guessed"):
        if any(rate.basis == basis for rate in rates.values()):
            weakest = basis
    fill = seconds.pop("forward", 0.0)
    return Forecast(fill, sum(seconds.values()), weakest)


def time_text(seconds: float) -> str:
    """``about 40 seconds``, ``about 12 minutes``, ``about 3.5 hours``; "no time" for none."""
    if seconds <= 0:
        return "no time"
    if seconds < 90:
        return f"about {count(max(1, round(seconds)), 'second')}"
    return (
        f"about {seconds / 60:.0f} minutes"
        if seconds < 5400
        else f"about {seconds / 3600:.1f} hours"
    )


def _key(spec: StudySpec, work: Work, size: int) -> str:
    """What a rate depends on, as text; the size stands in it once."""
    model, training = spec.model, spec.training
    parts = [_machine(), absolute(model.backbone), f"{size} px", training.precision, work]
    if work != "forward":
        source = "pixels" if training.augment == "online" else "store"
        parts.append(f"depth {model.unfreeze_depth} from {source}")
    if work == "head":
        parts.append(training.head)
    if work == "blocks":
        parts.append(f"batches of {training.batch_size}")
    return ", ".join(parts)


def _machine() -> str:
    """The processor and the cores this process may use."""
    return f"{processor()} × {cores()}"


def _read(path: Path) -> dict[str, float]:
    """Rates by key; none from a file that is absent, damaged or of another version."""
    try:
        held = parse_json(path.read_text(encoding="utf-8"))
        if held["version"] != VERSION:
            return {}
        return {
            str(key): float(rate) for key, rate in held["rates"].items() if 1e-6 < float(rate) < 1e9
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
