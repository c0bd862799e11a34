"""Which images are shown, and why."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from ensemble_kit.core.errors import count
from ensemble_kit.core.records import Floats, Ints
from ensemble_kit.reporting.collect.overlays import read_overlays
from ensemble_kit.reporting.collect.source import ReportedRun
from ensemble_kit.reporting.collect.thumbnails import make_thumbnail
from ensemble_kit.reporting.view.images import Gallery, Picture

SHARES = (("error", 0.3), ("label", 0.25), ("uncertain", 0.2), ("correct", 0.25))


@dataclass
class _Chosen:
    """Rows in the order of their choice, with why each is shown."""

    kinds: dict[int, list[str]] = field(default_factory=dict)

    def add(self, row: int, kind: str) -> None:
        self.kinds.setdefault(row, []).append(kind)


def build_gallery(source: ReportedRun, n_images: int, members: Sequence[Floats] = ()) -> Gallery:
    """About ``n_images`` images of four kinds, at most one of a group in each kind.

    members : (n, C) probabilities of each member, in the order of the run; none: the run's own.
    """
    voices = list(members) or [source.cases.probabilities]
    suspicion = label_suspicion(source.cases.labels, voices)
    chosen = _choose(source, n_images, suspicion)
    overlays = read_overlays(source.run.folder)
    pictures, absent = [], 0
    for row, kinds in chosen.kinds.items():
        picture, found = _picture(source, row, tuple(kinds), float(suspicion[row]))
        absent += not found
        overlay = overlays.get(picture.image)
        heat = overlay.thumbnail() if overlay and picture.thumbnail else None
        if overlay and heat:
            seen = {"heatmap": heat.data, "heatmap_class": overlay.class_name}
            picture = picture.model_copy(update=seen)
        pictures.append(picture)
    note = ""
    if absent:
        note = (
            f"The files of {count(absent, 'image')} of {len(pictures)} are not at hand, so no "
            "thumbnail is shown; the probabilities are. Give their folder to `report` with --data."
        )
    return Gallery(pictures=tuple(pictures), note=note, members=len(voices))


def shown_images(source: ReportedRun, n_images: int) -> tuple[str, ...]:
    """The ids of the images a report of a single model shows, in its order."""
    suspicion = label_suspicion(source.cases.labels, [source.cases.probabilities])
    chosen = _choose(source, n_images, suspicion)
    return tuple(str(source.run.table.image_ids[row]) for row in chosen.kinds)


def label_suspicion(labels: Ints, members: Sequence[Floats]) -> Floats:
    """(n,) least over members of (largest other probability − probability of the label).

    Above zero: every member prefers another class. In the spirit of Northcutt, Jiang & Chuang
    2021 (confident learning), with agreement of members in place of per-class thresholds.
    """
    rows = np.arange(len(labels))
    margins = []
    for p in members:
        others = p.copy()
        others[rows, labels] = -1.0
        margins.append(others.max(axis=1) - p[rows, labels])
    return np.asarray(np.min(margins, axis=0))


def _choose(source: ReportedRun, n_images: int, suspicion: Floats) -> _Chosen:
    cases = source.cases
    p, labels, said = cases.probabilities, cases.labels, cases.predicted
    top = np.sort(p, axis=1)[:, ::-1]
    margin = top[:, 0] - top[:, 1] if p.shape[1] > 1 else top[:, 0]
    wrong = said != labels
    chosen = _Chosen()
    wanted = {kind: max(1, round(share * n_images)) for kind, share in SHARES}
    ranked = {
        "error": _ordered(np.flatnonzero(wrong), -top[:, 0]),
        "label": _ordered(np.flatnonzero(suspicion > 0), -suspicion),
        "uncertain": _ordered(np.arange(len(labels)), margin),
        "correct": _by_turns(labels, np.flatnonzero(~wrong), -top[:, 0]),
    }
    seen: dict[str, set[int]] = {kind: set() for kind, _ in SHARES}

    def take(kind: str) -> bool:
        """Show the next of this kind whose group is not shown in it yet."""
        for row in ranked[kind]:
            group = int(cases.groups[row])
            if group not in seen[kind]:
                seen[kind].add(group)
                chosen.add(int(row), kind)
                return True
        return False

    if n_images > 0:
        for kind, number in wanted.items():
            for _ in range(number):
                take(kind)
        more = True
        while more and len(chosen.kinds) < n_images:
            more = max(list(map(take, wanted)))
    return chosen


def _ordered(rows: Ints, key: Floats) -> Iterator[int]:
    return iter(rows[np.argsort(key[rows], kind="stable")].tolist())


def _by_turns(labels: Ints, rows: Ints, key: Floats) -> Iterator[int]:
    """The best of each class, then the second best of each, and so on."""
    order = rows[np.argsort(key[rows], kind="stable")]
    queues = [order[labels[order] == code].tolist() for code in range(int(labels.max()) + 1)]
    for place in range(max(map(len, queues), default=0)):
        yield from (queue[place] for queue in queues if place < len(queue))


def _picture(
    source: ReportedRun, row: int, kinds: tuple[str, ...], suspicion: float
) -> tuple[Picture, bool]:
    run, cases = source.run, source.cases
    root, files = source.files
    path = files.get(str(run.table.image_ids[row]))
    bits = run.manifest.pixel_bits
    thumbnail = make_thumbnail(root, path, bits=bits) if path else None
    picture = Picture(
        image=str(run.table.image_ids[row]),
        group=str(run.table.groups[row]),
        truth=run.table.class_names[cases.labels[row]],
        predicted=run.table.class_names[cases.predicted[row]],
        fold=int(run.folds.fold[row]) if run.folds.n_folds > 1 else None,
        kinds=kinds,
        probabilities=tuple(round(float(v), 4) for v in cases.probabilities[row]),
        suspicion=round(suspicion, 4) if "label" in kinds else None,
        thumbnail=thumbnail.data if thumbnail else "",
        width=thumbnail.width if thumbnail else 0,
        height=thumbnail.height if thumbnail else 0,
    )
    return picture, thumbnail is not None
