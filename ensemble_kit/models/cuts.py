"""Where a network can be cut, found in its graph, and the blocks between the cuts.

A cut is a tensor through which every path from input to output passes. A block is a stretch
between two cuts that holds weights (of more than a normalisation), named from the architecture's
own stages.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

KerasTensor = Any
Layer = Any
FEATURES_LAYER = "pooled_features"
"""Layer that pools a fold model's last feature map: what follows it is no part of the base."""

STAGES = (
    r"downsampling_block_\d+|stage_\d+_block_\d+|conv\d+_block\d+|block\d+_\d+|block_\d+"
    r"|block\d+[a-z]?|expanded_conv(?:_\d+)?|mixed_?\d+[a-z]?"
)
"""How keras.applications name the stages of an architecture; where no layer's name has such a
part, every stretch between two cuts that holds weights is a block."""


@dataclass(frozen=True, eq=False)
class Block:
    """A stretch of layers. entry : the tensor that enters it, a cut."""

    name: str
    entry: KerasTensor


@dataclass(frozen=True, eq=False)
class _Node:
    """One call of a layer or operation: what it takes and gives."""

    layer: Layer
    inputs: tuple[KerasTensor, ...]
    outputs: tuple[KerasTensor, ...]


def base_output(model: Any) -> KerasTensor:
    """The last feature map of a base, or of a fold model that pools it."""
    found = [layer for layer in model.layers if layer.name == FEATURES_LAYER]
    return found[0].input if found else model.output


def find_blocks(pixels: KerasTensor, output: KerasTensor, stages: str = STAGES) -> list[Block]:
    """The blocks from input to output, in order; none where no stretch can train.

    Layers without weights before the first block are preprocessing: it begins after them.
    """
    parts = _stretches(_nodes(pixels, output), pixels)
    pattern = re.compile(rf"(?:^|_)({stages})(?=_|$)")
    labels = _labels(parts, pattern)
    blocks: list[Block] = []
    begun = False
    for label, group in _groups(parts, labels):
        layers = [layer for part in group for layer in part.layers]
        if not any(holds_kernel(layer) for layer in layers):
            continue
        first = next(i for i, part in enumerate(group) if any(x.weights for x in part.layers))
        entry = group[0 if begun else first].entry
        begun = True
        blocks.append(Block(label or _own_name(layers, first=not blocks), entry))
    return _told_apart(blocks)


def holds_kernel(layer: Layer) -> bool:
    """Whether a layer holds weights other than those of a normalisation, which is no block."""
    return any(leaf.weights and not _normalises(leaf) for leaf in leaves(layer))


def _normalises(leaf: Layer) -> bool:
    return "Normalization" in type(leaf).__name__


def leaves(layer: Layer) -> Iterator[Layer]:
    """A layer, or all within it where it is made of layers."""
    inner = getattr(layer, "_layers", None) or []
    if not inner:
        yield layer
    for part in inner:
        yield from leaves(part)


@dataclass(frozen=True, eq=False)
class _Stretch:
    entry: KerasTensor
    layers: tuple[Layer, ...]


def _nodes(pixels: KerasTensor, output: KerasTensor) -> list[_Node]:
    """All calls on the way from input to output, each after those whose outputs it takes."""
    done: dict[tuple[int, int], _Node] = {}
    waiting: list[tuple[KerasTensor, bool]] = [(output, False)]
    while waiting:
        tensor, ready = waiting.pop()
        history = tensor._keras_history
        place = (id(history.operation), history.node_index)
        if tensor is pixels or place in done:
            continue
        node = history.operation._inbound_nodes[history.node_index]
        if ready:
            inputs, outputs = tuple(node.input_tensors), tuple(node.output_tensors)
            done[place] = _Node(history.operation, inputs, outputs)
            continue
        waiting.append((tensor, True))
        waiting += [(source, False) for source in node.input_tensors]
    return list(done.values())


def _stretches(nodes: list[_Node], pixels: KerasTensor) -> list[_Stretch]:
    """What lies between two cuts that follow each other.

    In any order of the calls, all before a cut leads to it and all after it follows from it: so a
    tensor is a cut exactly where, after its call, nothing else is still to be used.
    """
    last_use: dict[int, int] = {}
    spans: dict[int, tuple[int, int]] = {}
    for place, node in enumerate(nodes):
        for tensor in node.inputs:
            last_use[id(tensor)] = place
        if getattr(node.layer, "weights", None):
            first, _ = spans.get(id(node.layer), (place, place))
            spans[id(node.layer)] = (first, place)
    parts: list[_Stretch] = []
    entry, since, alive = pixels, 0, {id(pixels)}
    for place, node in enumerate(nodes):
        alive |= {id(tensor) for tensor in node.outputs if last_use.get(id(tensor), -1) > place}
        alive -= {id(tensor) for tensor in node.inputs if last_use[id(tensor)] <= place}
        end = place == len(nodes) - 1
        shared = any(first <= place < last for first, last in spans.values() if first != last)
        whole = len(node.outputs) == 1 and alive <= {id(node.outputs[0])}
        if end or (whole and not shared):
            layers = {id(n.layer): n.layer for n in nodes[since : place + 1]}
            parts.append(_Stretch(entry, tuple(x for x in layers.values() if _is_layer(x))))
            entry, since = node.outputs[0], place + 1
    return parts


def _is_layer(operation: Any) -> bool:
    return hasattr(operation, "weights")


def _labels(parts: list["_Stretch"], pattern: "re.Pattern[str]") -> list[str | None]:
    """The stage of each stretch; one without weights belongs to that before it."""
    labels: list[str | None] = []
    for part in parts:
        label = _label(part.layers, pattern)
        if label is None and labels and not any(layer.weights for layer in part.layers):
            label = labels[-1]
        labels.append(label)
    return labels


def _label(layers: Iterable[Layer], pattern: "re.Pattern[str]") -> str | None:
    for layer in layers:
        if found := pattern.search(layer.name):
            return found[1]
    return None


def _groups(
    parts: list[_Stretch], labels: list[str | None]
) -> list[tuple[str | None, list[_Stretch]]]:
    """Neighbours of one label together; in a network without labels each stretch alone."""
    named = any(labels)
    groups: list[tuple[str | None, list[_Stretch]]] = []
    for part, label in zip(parts, labels, strict=True):
        if named and groups and groups[-1][0] == label:
            groups[-1][1].append(part)
        else:
            groups.append((label, [part]))
    return groups


def _own_name(layers: Iterable[Layer], *, first: bool) -> str:
    """Of a block outside the stages: ``stem``, or its first layer that trains."""
    return "stem" if first else next(layer.name for layer in layers if holds_kernel(layer))


def _told_apart(blocks: list[Block]) -> list[Block]:
    """Blocks whose names differ: a name seen before gets a number."""
    seen: dict[str, int] = {}
    named = []
    for block in blocks:
        seen[block.name] = times = seen.get(block.name, 0) + 1
        named.append(block if times == 1 else Block(f"{block.name}_{times}", block.entry))
    return named
