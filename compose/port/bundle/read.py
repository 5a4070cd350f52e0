"""A saved port again, without the source's framework: the file that holds the way of the weights, and what it leaves.

`source.safetensors` has the map as JSON in its metadata, and those of the source's arrays that the network's own
weights do not give back.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from compose.core.errors import FileError, PortError
from compose.core.parsing import parse
from compose.port.ir.graph import Saved, SourceGraph
from compose.port.ir.weights import Take, WeightMap
from compose.port.structure import Recovered
from compose.train.container import read, write

if TYPE_CHECKING:
    from compose.port.ported import Ported


class Absent:
    """In the place of the source model, where there is none."""

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise PortError("the source model to prove this against: port it again; the folder's test_port.py needs none")


def write_source(port: Ported, path: Path) -> None:
    """The map of a port, and the arrays of the source that its weights do not cover."""
    graph = port.graph
    left = {f"array {name}": graph.arrays[name] for name in port.weights.unused(graph.arrays)}
    told = {
        "name": graph.name,
        "input_axes": graph.input_axes,
        "output_axes": graph.output_axes,
        "arrays": {name: (np.shape(a), np.asarray(a).dtype.name) for name, a in graph.arrays.items()},
        "weights": port.weights.rows(),
        "unread": [(take.source, take.rows, take.columns) for take in graph.unread],
        "words": [(str(part), word) for part, word in port.found.words.items()],
    }
    if graph.saved is not None:
        left |= {f"rest {name}": a for name, a in graph.saved.rest.items()}
        told["saved"] = [graph.saved.framework, graph.saved.names, sorted(graph.saved.fixed)]
    write(path, {name: np.asarray(a) for name, a in left.items()}, {"map": json.dumps(told)})


def load(folder: str | Path) -> Ported:
    """A port from the folder that `save` wrote: the network, its weights, and their way back to the source's form.

    The source's framework is not needed, and its model not there: all works but `verify` and `save`. Functions and
    layers of your own must be registered first.

    Raises `FileError` for files that are missing, damaged or not of one port.
    """
    from compose.port.ported import Ported
    from compose.train.load import load as load_model

    place = Path(folder)
    model = load_model(place / "weights.safetensors")
    metadata, left = read(place / "source.safetensors")
    try:
        told = json.loads(metadata["map"])
        weights = WeightMap.of_rows(told["weights"])
        graph = _graph(told, left)
        arrays = weights.dump(model.params, model.state, graph.arrays)
        words = {parse(text): word for text, word in told["words"]}
    except (KeyError, TypeError, ValueError, IndexError) as e:
        raise FileError(
            f"{place / 'source.safetensors'}: not the map of {place / 'weights.safetensors'}: {e}"
        ) from None
    graph.arrays.update(arrays)
    inputs = model.inputs if isinstance(model.inputs, tuple) else (model.inputs,)
    absent: Any = Absent()
    return Ported(model.net, model.params, model.state, Recovered(model.net, weights, words), inputs, graph, absent)


def _graph(told: dict[str, Any], left: dict[str, np.ndarray]) -> SourceGraph:
    arrays = {name: np.zeros(shape, dtype) for name, (shape, dtype) in told["arrays"].items()}
    arrays |= {name.removeprefix("array "): a for name, a in left.items() if name.startswith("array ")}
    axes = [tuple(None if a is None else tuple(a) for a in told[key]) for key in ("input_axes", "output_axes")]
    part = lambda ends: None if ends is None else tuple(ends)
    unread = tuple(Take(source, rows=part(rows), columns=part(columns)) for source, rows, columns in told["unread"])
    saved = None
    if "saved" in told:
        framework, names, fixed = told["saved"]
        rest = {name.removeprefix("rest "): a for name, a in left.items() if name.startswith("rest ")}
        saved = Saved(framework, names, rest, frozenset(fixed))
    return SourceGraph((), (), None, arrays, told["name"], axes[0], axes[1], unread, saved)
