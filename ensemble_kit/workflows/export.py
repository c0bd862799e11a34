"""One file that predicts: written, run on reference images, and kept only if it agrees."""

import re
import tempfile
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ensemble_kit.core.atomic import write_json, write_text
from ensemble_kit.core.disk import room_for
from ensemble_kit.core.errors import RunError, some
from ensemble_kit.core.folders import begun
from ensemble_kit.core.listening import Tell, say_nothing
from ensemble_kit.core.places import check_output_folder
from ensemble_kit.core.records import Floats
from ensemble_kit.models.export_formats import FORMATS, ExportFormat, check_abilities, find_format
from ensemble_kit.models.int8 import Recipe
from ensemble_kit.models.shipped_graph import GraphMember, build_shipped_graph
from ensemble_kit.posthoc.conformal.cross import CrossSets
from ensemble_kit.training.model_cache import warm_up
from ensemble_kit.workflows.agreement import (
    EncodedCheck,
    References,
    batch_of,
    check_encoded,
    file_answers,
    references,
    run_answers,
)
from ensemble_kit.workflows.bundle import bundle_json, check_sets, script_of
from ensemble_kit.workflows.card import write_card
from ensemble_kit.workflows.quantized import Quantized, loss_of
from ensemble_kit.workflows.shipped import Shipped, check_sees_images_alone, open_shipped

TOLERANCE = 1e-4
INT8_TOLERANCE = 1e-2
BUNDLE_FILES = {
    "bundle.json", "predict.py", "README.md", "model.bin", *(form.file for form in FORMATS.values())
}  # fmt: skip
"""What a bundle holds, in any of the formats."""
SAVED_MODEL = re.compile(r"saved_model/((variables|assets)/[^/]+|[a-z_]+\.pb)")


@dataclass(frozen=True)
class Exported:
    """folder : the bundle. largest : largest difference of a probability on the reference images
    (``images`` of them, ``origin``). n_bytes : of the model. images_per_second : the exported
    file on this machine, in batches of ``batch_of``, beside ``before``, the run's own networks.
    quantized : what int8 costs. encoded : how JPEG bytes fare; both None where not asked for."""

    folder: Path
    format: str
    largest: float
    images: int
    origin: str
    n_bytes: int
    images_per_second: float
    before: float
    quantized: Quantized | None = None
    encoded: EncodedCheck | None = None


@dataclass(frozen=True, eq=False)
class _Job:
    """What an export works on. expected : the run's probabilities of the references."""

    shipped: Shipped
    chosen: ExportFormat
    found: References
    expected: Floats
    tell: Tell

    def graph(self, *, single: bool = False) -> Any:
        bundle = self.shipped.bundle
        members = [
            GraphMember(m.name, m.ensemble, m.views, m.columns) for m in self.shipped.members
        ]
        chain = None if bundle is None else bundle.chain.to_json()
        return build_shipped_graph(members, chain, single=single)


def export(
    run_folder: Path,
    to: Path,
    format: str = "keras",
    *,
    coverage: float | None = None,
    quantize: str = "",
    encoded: bool = False,
    overwrite: bool = False,
    tell: Tell = say_nothing,
) -> Exported:
    """Export a run as one file that takes pixels 0..255 and gives final probabilities.

    Written into ``to``: the model, ``bundle.json``, ``predict.py`` and ``README.md`` (the card).
    The exported file is run on reference images first: where a probability differs from the
    run's by more than 1e-4, RunError, and nothing is left behind. quantize : "int8" for a smaller
    file, which may differ by 1e-2 and whose loss out of fold is measured. encoded : the file takes
    encoded JPEG as well. tell : hears "working" (sentence).
    """
    chosen = find_format(format)
    check_abilities(chosen, quantize=quantize, encoded=encoded)
    _check_free(to, run_folder, overwrite)
    shipped = open_shipped(run_folder, coverage=coverage)
    shipped.keep_off(to, "--to")
    check_sees_images_alone(shipped)
    if isinstance(shipped.sets, CrossSets):
        raise RunError(
            f"run {shipped.run.name!r} has cross-conformal prediction sets, which need every fold "
            "model's own probabilities, and an exported file gives their mean alone; make the "
            "ensemble with --set-method threshold, or use `predict`"
        )
    if not check_sets(shipped.sets):
        raise RunError(
            f"run {shipped.run.name!r} has prediction sets by {shipped.sets.spec.score}, which the "
            "exported script cannot form; make the ensemble with --set-score lac"
        )
    _check_one_input(shipped)
    warm_up(0)
    tell("working", sentence="joining the fold models into one network")
    found = references(shipped, encoded=encoded)
    expected, before = run_answers(shipped, found.pixels)
    job = _Job(shipped, chosen, found, expected, tell)
    with begun(to, partial(_check_free, to, run_folder, overwrite)) as fresh:
        file = fresh / chosen.file
        quantized = by_jpeg = None
        with room_for(to):
            if quantize:
                with tempfile.TemporaryDirectory(dir=fresh) as scratch:
                    quantized, largest, rate = _int8(job, Path(scratch), file)
            else:
                largest, rate = _float(job, file, encoded=encoded)
        if encoded:
            by_jpeg = _encoded(job, file)
        n_bytes = sum(p.stat().st_size for p in fresh.rglob("*") if p.is_file())
        write_text(fresh / "predict.py", script_of(chosen, encoded=encoded))
        write_card(fresh / "README.md", shipped, chosen, quantized)
        verification: dict[str, Any] = {
            "images": len(found.pixels), "origin": found.origin, "largest_difference": largest,
            "tolerance": INT8_TOLERANCE if quantize else TOLERANCE,
        }  # fmt: skip
        if by_jpeg is not None:
            verification["encoded_jpeg"] = asdict(by_jpeg)
        write_json(
            fresh / "bundle.json", bundle_json(shipped, chosen, fresh, verification, quantized)
        )
    return Exported(
        to, format, largest, len(found.pixels), found.origin, n_bytes, rate, before, quantized,
        by_jpeg,
    )  # fmt: skip


def _float(job: _Job, file: Path, *, encoded: bool) -> tuple[float, float]:
    """Write the file and check it: the largest difference and images a second."""
    job.tell("working", sentence=f"writing {file.name}")
    if encoded:
        assert job.chosen.write_encoded is not None
        job.chosen.write_encoded(job.graph(), file, job.shipped.members[0].spec.aspect)
    else:
        job.chosen.write(job.graph(), file)
    largest, rate = _difference(job, file)
    if not largest <= TOLERANCE:
        raise RunError(
            f"the {job.chosen.name} file gives probabilities that differ by {largest:.2g} from the "
            f"run's (at most {TOLERANCE:g} is allowed), so it was not kept; export another format"
        )
    return largest, rate


def _int8(job: _Job, place: Path, file: Path) -> tuple[Quantized, float, float]:
    """The first int8 form that keeps within the bound, and what it loses out of fold."""
    source = place / f"float-{file.name}"
    job.tell("working", sentence=f"writing {file.name} in float32")
    job.chosen.write(job.graph(), source)
    tried: list[tuple[float, str]] = []
    for recipe in job.chosen.recipes:
        job.tell("working", sentence=f"int8: {recipe.words}")
        recipe.write(source, file)
        largest, rate = _difference(job, file)
        if largest <= INT8_TOLERANCE:
            return _loss(job, place, recipe), largest, rate
        tried.append((largest, recipe.words))
    nearest, words = min(tried)
    raise RunError(
        f"no int8 form of {file.name} keeps within {INT8_TOLERANCE:g} of the run's probabilities "
        f"(the nearest differs by {nearest:.2g}: {words}), so nothing was kept; export without "
        "--quantize"
    )


def _loss(job: _Job, place: Path, recipe: Recipe) -> Quantized:
    """The same form of the single fold models, judged on what each held out."""
    job.tell("working", sentence="measuring what int8 loses on held-out images (some minutes)")
    source, file = place / f"single-{job.chosen.file}", place / f"int8-{job.chosen.file}"
    job.chosen.write(job.graph(single=True), source)
    recipe.write(source, file)
    return loss_of(job.shipped, job.chosen.open(file), recipe.words)


def _encoded(job: _Job, file: Path) -> EncodedCheck:
    assert job.chosen.open_encoded is not None
    spec = job.shipped.members[0].spec
    found = check_encoded(
        job.chosen.open_encoded(file), job.found, job.expected, spec.image_size, spec.aspect
    )
    if not found.largest <= TOLERANCE:
        raise RunError(
            f"encoded JPEG gives probabilities that differ by {found.largest:.2g} from the run's "
            f"(at most {TOLERANCE:g} is allowed), so nothing was kept; export without --jpeg"
        )
    return found


def _difference(job: _Job, file: Path) -> tuple[float, float]:
    job.tell(
        "working",
        sentence=f"running it on {len(job.found.pixels)} reference images ({job.found.origin})",
    )
    answers, rate = file_answers(job.chosen.open(file), job.found.pixels, batch_of(job.shipped))
    return float(np.abs(answers - job.expected).max()), rate


def _check_one_input(shipped: Shipped) -> None:
    """Raise RunError unless all members see an image as the same square."""
    if len({m.input for m in shipped.members}) > 1:
        named = [f"{m.name} ({m.spec.image_size} px, {m.spec.aspect})" for m in shipped.members]
        raise RunError(
            f"{some(named)}: members that see images in different sizes or shapes cannot share one "
            "file's input; export them one by one, or make an ensemble of runs of one size and "
            "aspect (`predict` takes such members as they are)"
        )


def foreign_in_bundle(to: Path) -> list[str]:
    """Files below a bundle's folder, relative, that no export wrote."""
    found = (path.relative_to(to).as_posix() for path in to.rglob("*") if not path.is_dir())
    return sorted(n for n in found if n not in BUNDLE_FILES and not SAVED_MODEL.fullmatch(n))


def _check_free(to: Path, run_folder: Path, overwrite: bool) -> None:
    inside = to.resolve()
    run = run_folder.resolve()
    if inside == run or run in inside.parents or inside in run.parents:
        raise RunError(
            f"{to} and the run {run_folder} lie in one another: give --to a folder of its own"
        )
    check_output_folder(to, "--to")
    for folder in inside.parents:
        if (folder / "bundle.json").is_file() and (folder / "predict.py").is_file():
            raise RunError(f"{to} lies in an exported bundle ({folder}): name another --to")
    if not to.exists() or not any(to.iterdir()):
        return
    if to.is_symlink():
        raise RunError(f"{to} is a link: name the folder itself with --to")
    foreign = foreign_in_bundle(to)
    if not (to / "bundle.json").is_file() or foreign:
        raise RunError(
            f"{to} is there and is no exported bundle{f' ({some(foreign)})' if foreign else ''}: "
            "name another folder with --to"
        )
    if not overwrite:
        raise RunError(f"{to} holds a bundle already: name another folder, or give --overwrite")
