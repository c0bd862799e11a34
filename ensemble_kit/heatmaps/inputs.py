"""Where an image enters its fold model: stored activations if there are any, else its file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble_kit.core.errors import DataError, some
from ensemble_kit.core.records import Ints
from ensemble_kit.data.decode import Pixels, decode_bytes
from ensemble_kit.data.images import find_images
from ensemble_kit.data.references import container_of, read_image
from ensemble_kit.runs.folder import Run
from ensemble_kit.stores.activations import ActivationStore, key_in, open_store, stores_in
from ensemble_kit.stores.pixel_filling import row_digest
from ensemble_kit.stores.pixels import find_row_digests
from ensemble_kit.study import ModelSpec


@dataclass(frozen=True, eq=False)
class Inputs:
    """The images of a run as its models take them.

    files : reference of each image below ``root``, by row of the run. store : activations at a cut
    that no fold trained before; None: pixels are decoded from the files. bits : of 16-bit grey
    pictures, as the run read them. digests : (n, 16) uint8, of each row's pixels as the run read
    them; there is no store without them.
    """

    root: Path
    files: dict[int, str]
    model: ModelSpec
    store: ActivationStore | None
    bits: int = 16
    digests: Pixels | None = None

    @property
    def depth(self) -> int | None:
        """Blocks after the stored cut; None for pixels."""
        return self.store.key.depth if self.store else None

    def read(self, rows: Ints) -> NDArray[Any]:
        """(m, ...) activations at the cut, or pixels (m, S, S, 3) uint8.

        Raises DataError where activations are stored and a file holds another picture than that
        they were made of.
        """
        size, aspect = self.model.image_size, self.model.aspect
        pixels = [
            decode_bytes(self.encoded(row), size, aspect, self.files[row], self.bits)
            for row in rows.tolist()
        ]
        if self.store is None or self.digests is None:
            return np.stack(pixels)
        others = [
            str(self.root / self.files[row])
            for row, own in zip(rows.tolist(), pixels, strict=True)
            if row_digest(own) != self.digests[row].tobytes()
        ]
        if others:
            raise DataError(
                f"{some(others)}: the picture is not the one that the run was made of; restore it, "
                "or give the folder of the run's images with --data"
            )
        return self.store.read_exact(rows)

    def encoded(self, row: int) -> bytes:
        """The bytes of an image. Raises DataError."""
        try:
            return read_image(self.root, self.files[row])
        except OSError as error:
            raise DataError(
                f"{self.root / self.files[row]}: cannot be read ({error.strerror}); restore it"
            ) from None


def find_inputs(
    run: Run, rows: Ints, model: ModelSpec, store_dir: Path, images_dir: Path | None = None
) -> Inputs:
    """Files of the rows (in ``images_dir``, else where the run found them) and the best store.

    Raises DataError naming the images without a file.
    """
    root, files = _files(run, rows, images_dir)
    bits = run.manifest.pixel_bits or 16
    digest = str(run.manifest.facts.get("pixels_digest"))
    digests = find_row_digests(store_dir, digest, run.table.image_ids)
    store = None if digests is None else find_activations(run, model, store_dir)
    return Inputs(root, files, model, store, bits, digests)


def find_activations(run: Run, model: ModelSpec, store_dir: Path) -> ActivationStore | None:
    """The latest cut stored of the run's images that all its fold models share."""
    facts, found = run.manifest.facts, []
    precision = run.manifest.device.get("training_precision")
    for folder in stores_in(store_dir):
        try:
            key = key_in(folder)
        except (OSError, ValueError, KeyError, TypeError):
            continue
        fits = (
            key.pixels == facts.get("pixels_digest")
            and key.weights == facts.get("weights_digest")
            and key.backbone == model.backbone
            and precision in (None, key.precision)
            and key.rows == len(run.table)
            and key.depth >= max(1, model.unfreeze_depth)
            and folder.name == key.digest[:16]
        )
        if fits:
            found.append(key)
    for key in sorted(found, key=lambda key: key.depth):
        store = open_store(store_dir, key)
        if store.ready(0):
            return store
    return None


def _files(run: Run, rows: Ints, images_dir: Path | None) -> tuple[Path, dict[int, str]]:
    table = run.table
    if images_dir is None:
        root = Path(table.root)
        known = dict(zip(table.image_ids.tolist(), table.paths.tolist(), strict=True))
    else:
        root, known = images_dir, find_images(images_dir)
    names = {row: str(table.image_ids[row]) for row in rows.tolist()}
    files = {row: known[name] for row, name in names.items() if known.get(name)}
    absent = [
        name
        for row, name in names.items()
        if row not in files or not (root / (container_of(files[row]) or files[row])).is_file()
    ]
    if absent:
        raise DataError(
            f"no file of {some(absent)} in {root if str(root) != '.' else 'the run'}: a heat map "
            "is drawn over its image; give the folder of the images with --data"
        )
    return root, files
