"""`source.safetensors`: the map between a port's weights and the source's arrays.

The map is JSON in the file's metadata. The tensors are the source's arrays that the network's weights do not determine.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from compose.core.errors import ComposeError
from compose.core.layer import Layer
from compose.core.parsing import parse
from compose.port.ir.graph import Saved, SourceGraph
from compose.port.ir.weights import View, WeightMap
from compose.port.result import Result
from compose.train.container import read, write


def write_source(port: Result, path: Path) -> None:
    """Write the weight map, and the source's arrays that the network's weights do not cover."""
    graph = port.graph
    tensors = {f"array {name}": graph.arrays[name] for name in port.weights.unused(graph.arrays)}
    content = {
        "name": graph.name,
        "frontend": port.frontend,
        "input_axes": graph.input_axes,
        "output_axes": graph.output_axes,
        "arrays": {name: (np.shape(a), np.asarray(a).dtype.name) for name, a in graph.arrays.items()},
        "weights": port.weights.rows(),
        "unread": [(view.source, view.rows, view.columns) for view in graph.unread],
        "words": [(str(part), word) for part, word in port.found.words.items() if _stands_alone(part)],
    }
    if graph.saved is not None:
        tensors |= {f"rest {name}": a for name, a in graph.saved.rest.items()}
        content["saved"] = [graph.saved.framework, graph.saved.names, sorted(graph.saved.fixed)]
    write(path, {name: np.asarray(a) for name, a in tensors.items()}, {"map": json.dumps(content)})


def read_source(path: Path, params: Any, state: Any) -> tuple[SourceGraph, WeightMap, dict[Layer, str], str]:
    """The source's arrays without its operations, the weight map, the names of parts, and the front end.

    Args:
        params, state: the network's weights, from which the source's arrays follow.

    Raises `KeyError`, `TypeError`, `ValueError` or `IndexError` for a file that does not fit the weights.
    """
    metadata, tensors = read(path)
    content = json.loads(metadata["map"])
    weights = WeightMap.of_rows(content["weights"])
    graph = _graph(content, tensors)
    graph.arrays.update(weights.dump(params, state, graph.arrays))
    return graph, weights, {parse(text): word for text, word in content["words"]}, content["frontend"]


def _graph(content: dict[str, Any], tensors: dict[str, np.ndarray]) -> SourceGraph:
    arrays = {name: np.zeros(shape, dtype) for name, (shape, dtype) in content["arrays"].items()}
    arrays |= _with_prefix(tensors, "array ")
    axes = [tuple(None if a is None else tuple(a) for a in content[key]) for key in ("input_axes", "output_axes")]
    span = lambda ends: None if ends is None else tuple(ends)
    unread = tuple(View(source, rows=span(rows), columns=span(columns)) for source, rows, columns in content["unread"])
    saved = None
    if "saved" in content:
        framework, names, fixed = content["saved"]
        saved = Saved(framework, names, _with_prefix(tensors, "rest "), frozenset(fixed))
    return SourceGraph((), (), None, arrays, content["name"], axes[0], axes[1], unread, saved)


def _stands_alone(part: Layer) -> bool:
    """Whether the text of a part says it; inside a `share` or a `let` it may name what is bound outside."""
    try:
        return parse(str(part)) == part
    except ComposeError:
        return False


def _with_prefix(tensors: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): a for name, a in tensors.items() if name.startswith(prefix)}
