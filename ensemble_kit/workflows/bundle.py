"""What lies beside an exported file: ``bundle.json`` and a ``predict.py`` of its own."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ensemble_kit.core.atomic import sha256_of_file
from ensemble_kit.models.export_formats import ExportFormat
from ensemble_kit.posthoc.conformal.cross import CrossSets
from ensemble_kit.posthoc.conformal.sets import PredictionSets
from ensemble_kit.workflows.quantized import Quantized
from ensemble_kit.workflows.shipped import Shipped

BUNDLE_VERSION = 1

SCRIPT = '''"""Predict images: python predict.py FILE...   (needs {runtime}, numpy, pillow)"""
import json, sys
from pathlib import Path
import numpy as np
from PIL import Image, ImageOps

here = Path(__file__).parent
bundle = json.loads((here / "bundle.json").read_text())
SIZE, ASPECT, NAMES = bundle["input"]["size"], bundle["input"]["aspect"], bundle["class_names"]
BITS = bundle["input"]["bits"]  # of 16-bit grey pictures in training; 0: there were none
{code}

def bits_of(path, largest):
    """The bits that 16-bit grey uses: as a PNG says (sBIT), else by its largest value."""
    data = Path(path).read_bytes()
    place = data.find(b"sBIT", 0, max(0, data.find(b"IDAT")))
    if data[:4] == b"\\x89PNG" and place > 0:
        said = min(16, max(8, data[place + 4]))
        return said if largest < 1 << said else 16
    return max(8, largest.bit_length() + 1 & ~1)


def pixels(path):
    """(1, SIZE, SIZE, 3) float32 0..255, as the model was trained."""
    image = Image.open(path)
    stored, tall = image.size, image.height > image.width
    least = [SIZE - 0.875] * 2  # JPEG: decoded at 1/2, 1/4 or 1/8 where that is large enough
    if ASPECT == "pad":
        least[0 if tall else 1] = 0.1
    image.draft(None, tuple(least))
    if image.mode.startswith("I"):  # 16 bits of grey
        grey = np.asarray(image)
        used = bits_of(path, int(grey.max()))
        if used > (BITS or 16):
            raise ValueError(f"grey of {{used}} bits, but the model was trained on {{BITS or 16}}")
        grey = (grey >> (BITS or used) - 8).clip(0, 255)
        image = Image.fromarray(grey.astype(np.uint8))
    image = ImageOps.exif_transpose(image)
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "black"), image)
    image, scale = image.convert("RGB"), 8 * max(image.size) // max(stored) / 8
    w, h = sorted((side * scale for side in stored), reverse=image.width >= image.height)
    box, inner = (0, 0, w, h), (SIZE, SIZE)
    if ASPECT == "crop":
        side = min(w, h)
        box = ((w - side) / 2, (h - side) / 2, (w + side) / 2, (h + side) / 2)
    if ASPECT == "pad":
        inner = tuple(max(1, round(side * SIZE / max(w, h))) for side in (w, h))
    square = Image.new("RGB", (SIZE, SIZE))
    fitted = image.resize(inner, Image.Resampling.BICUBIC, box=box)
    square.paste(fitted, ((SIZE - inner[0]) // 2, (SIZE - inner[1]) // 2))
    return np.asarray(square, np.float32)[None]

for path in sys.argv[1:]:
    try:
        p = np.asarray({answer}, np.float64)[0]
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        print(f"error: {{path}}: {{getattr(error, 'strerror', None) or error}}", file=sys.stderr)
        sys.exit(2)
    decision = NAMES[int((p * bundle["decision"]["weights"]).argmax())]
    limits = [np.inf if t is None else t for t in bundle["sets"]["thresholds"]]
    inside = [n for n, q, t in zip(NAMES, p, limits) if 1 - q <= t or q == p.max()]
    print(json.dumps({{"image": path, "probabilities": dict(zip(NAMES, p.tolist())),
                      "decision": decision, "set": inside}}))
'''
JPEG = """
def answer(path):
    data = Path(path).read_bytes()
    return encoded(data) if data[:2] == b"\xff\xd8" else run(pixels(path))
"""


def script_of(chosen: ExportFormat, *, encoded: bool = False) -> str:
    """A program that needs the format's runtime, numpy and pillow alone. encoded : JPEG files are
    given to the model as they are."""
    code = "\n".join((*chosen.code, *(chosen.encoded_code if encoded else ())))
    runtime = ", ".join(chosen.runtime)
    if encoded:
        return SCRIPT.format(runtime=runtime, code=code + JPEG, answer="answer(path)")
    return SCRIPT.format(runtime=runtime, code=code, answer="run(pixels(path))")


def bundle_json(
    shipped: Shipped,
    chosen: ExportFormat,
    folder: Path,
    verification: dict[str, Any],
    quantized: Quantized | None = None,
) -> dict[str, Any]:
    """The contents of ``bundle.json`` for the files that lie in ``folder``."""
    manifest, first = shipped.run.manifest, shipped.members[0]
    return {
        "bundle_version": BUNDLE_VERSION,
        "run": manifest.name,
        "kind": manifest.kind,
        "format": chosen.name,
        "file": chosen.file,
        "class_names": list(shipped.class_names),
        "input": {
            "size": first.spec.image_size,
            "aspect": first.spec.aspect,
            "bits": first.run.manifest.pixel_bits,
            "shape": ["batch", first.spec.image_size, first.spec.image_size, 3],
            "dtype": "float32",
            "range": [0, 255],
            "channels": "RGB",
            "encoded_jpeg": "serve_jpeg" if "encoded_jpeg" in verification else None,
        },
        "output": {"shape": ["batch", len(shipped.class_names)], "meaning": "probabilities"},
        "fold_models": [
            {"run": m.run.name, "folds": len(m.folds), "views": m.views, "depth": m.depth}
            for m in shipped.members
        ],
        "decision": shipped.decision.to_json(),
        "sets": shipped.sets.to_json(),
        "quantization": None if quantized is None else quantized.plain(),
        "digests": {
            "study": manifest.spec_digest,
            "data": manifest.data_digest,
            "folds": manifest.folds_digest,
            "models": {f"{m.run.name}/fold_{k}": source.file.sha256
                       for m in shipped.members for k, source in enumerate(m.folds)},
        },
        "versions": manifest.versions,
        "verification": verification,
        "files": digests_of(folder),
    }  # fmt: skip


def digests_of(folder: Path, without: Sequence[str] = ("bundle.json",)) -> dict[str, str]:
    """sha256 of every file of a folder, by its path below it."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder).as_posix(): path for path in paths}
    return {name: sha256_of_file(path) for name, path in names.items() if name not in without}


def check_sets(sets: PredictionSets | CrossSets) -> bool:
    """Whether ``predict.py`` can form these sets by itself."""
    return isinstance(sets, PredictionSets) and sets.spec.score == "lac"
