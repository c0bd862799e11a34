"""Every architecture by name, from its line in ``lines.py``.

What its graph is like is recorded in ``recorded.json`` (``benchmarks/record_backbones.py`` writes
it, a test compares), so that plans need no framework; for one that is not recorded the graph is
built and looked at.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from ensemble_kit.core.json_text import parse_json
from ensemble_kit.models.backbone import Backbone, Cut, Facts
from ensemble_kit.models.compact import build_compact
from ensemble_kit.models.graph_facts import facts_of_graph, shapes_of_graph
from ensemble_kit.models.lines import LINES, Expects, Line
from ensemble_kit.models.small_resnet import build_small_resnet

RECORDED = Path(__file__).with_name("recorded.json")
PREPROCESSING: Mapping[Expects, str] = {
    "-1..1": "scale-to-minus-one-one",
    "deviations": "imagenet-mean-and-deviation",
    "bgr means": "imagenet-bgr-means",
    "pixels": "inside",
}
MEANS, DEVIATIONS = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's channels red, green, blue, for pixels 0..1."""
BGR_MEANS = (103.939, 116.779, 123.68)


OTHERS: Mapping[str, Callable[[Any], Any]] = {
    "compact": build_compact,
    "smallresnet": build_small_resnet,
}
NAMES = (*LINES, *OTHERS)


@cache
def registered(name: str) -> Backbone:
    """The backbone of a name of :data:`NAMES`."""
    if name in OTHERS:
        scaled = PREPROCESSING["-1..1"]
        return Backbone(name, scaled, OTHERS[name], partial(recorded_facts, name))
    line = LINES[name]
    build, recorded = partial(_build, line), name in _recorded()
    return Backbone(
        name=name,
        preprocessing=PREPROCESSING[line.expects],
        build=build,
        known=partial(recorded_facts if recorded else _facts_of_graph, name),
        shapes=None if recorded else cache(partial(shapes_of_graph, name, build, line.stages)),
        stages=line.stages,
        constructor=line.constructor,
    )


@cache
def _recorded() -> dict[str, Any]:
    found: dict[str, Any] = parse_json(RECORDED.read_text(encoding="utf-8"))
    return found


def recorded_facts(name: str) -> Facts:
    """What is recorded of an architecture."""
    held = _recorded()[name]
    cuts = tuple(Cut(*values) for values in held["cuts"])
    return Facts(**{key: value for key, value in held.items() if key != "cuts"}, cuts=cuts)


def _facts_of_graph(name: str) -> Facts:
    """Of an architecture that nothing is recorded of: the framework is loaded for them."""
    from ensemble_kit.models.fetching import weights_path

    line = LINES[name]
    facts = facts_of_graph(name, partial(_build, line), line.stages)
    found = weights_path(line.constructor, fetch=False)[1]
    return replace(facts, weights_file=found, min_size=line.smallest)


def _build(line: Line, pixels: Any) -> Any:
    import keras

    constructor = getattr(keras.applications, line.constructor)
    return constructor(include_top=False, weights=None, input_tensor=scaled(line.expects, pixels))


def scaled(expects: Expects, pixels: Any) -> Any:
    """Pixels 0..255 as an architecture expects them."""
    import keras

    if expects == "pixels":
        return pixels
    if expects == "-1..1":
        return keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="preprocess")(pixels)
    if expects == "deviations":
        scale = [1 / (255 * deviation) for deviation in DEVIATIONS]
        offset = [-mean / deviation for mean, deviation in zip(MEANS, DEVIATIONS, strict=True)]
        return keras.layers.Rescaling(scale, offset=offset, name="preprocess")(pixels)
    offset = [-mean for mean in BGR_MEANS]
    turned = keras.ops.flip(pixels, axis=-1)
    return keras.layers.Rescaling(1.0, offset=offset, name="preprocess")(turned)
