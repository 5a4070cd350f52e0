"""From a network and its weights to an ONNX model."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import onnx
from jax import export
from onnx import helper

from compose.core.errors import ConfigError, LayerError
from compose.core.layer import Layer
from compose.core.plan import plan, specs
from compose.core.precision import specs_as_wide_as
from compose.core.run import as_arrays, check_params, pack
from compose.export.errors import ExportError
from compose.export.labels import labels
from compose.export.onnx import registry
from compose.export.onnx.dims import BATCH
from compose.export.onnx.graph import Graph, Value
from compose.export.onnx.tidy import tidied
from compose.export.onnx.writer import Writer

OPSET, IR = 23, 11
OLDEST = 20


def model_of(
    net: Layer, params: Any, state: Any, inputs: tuple, batch: int | str, opset: int, names: tuple | None = None
) -> onnx.ModelProto:
    """The model, its inputs `x` or `x0`, `x1`, ... and its outputs `y` or `y0`, ...

    `batch` is the name of the open batch size or a fixed number.
    """
    if not OLDEST <= opset <= onnx.defs.onnx_opset_version():
        raise ConfigError(f"an opset from {OLDEST} to {onnx.defs.onnx_opset_version()}", str(opset))
    registry.load()
    given = as_arrays(pack(inputs))
    check_params(net, plan(net, specs(given)), params, state)
    symbol: Any = export.symbolic_shape(BATCH)[0] if batch == BATCH else batch
    graph = Graph(opset)
    leaves, tree = jax.tree.flatten(given)
    values = [
        graph.input(name, (symbol, *leaf.shape[1:]) if leaf.ndim else (), leaf.dtype)
        for name, leaf in zip(labels("x", len(leaves)), leaves)
    ]
    writer = Writer(graph)
    own = writer.named(jax.tree.map(np.asarray, params))
    held = writer.named(jax.tree.map(np.asarray, state))
    wide = jax.tree.leaves(specs_as_wide_as(params, specs(given)))
    given = [writer.cast(v, a.dtype) for v, a in zip(values, wide)]
    try:
        y = writer.layer(net, own, held, jax.tree.unflatten(tree, given))
    except LayerError as e:
        raise _explained(e)
    outputs = jax.tree.leaves(y)
    results = []
    for name, output in zip(labels("y", len(outputs)), outputs):
        if np.dtype(output.dtype).kind == "c":
            raise ExportError("a network with real outputs, since ONNX has no complex numbers", str(output.dtype))
        label = graph.unique(name)
        node = helper.make_node("Identity", [graph.name_of(output)], [label], name=label)
        graph.nodes.append(node)
        results.append(Value(label, tuple(output.shape), np.dtype(output.dtype)))
    tidied(graph, values, results)
    proto = graph.proto("compose", values, results, str(net))
    made = helper.make_model(
        proto, opset_imports=[helper.make_opsetid("", opset)], ir_version=IR, producer_name="compose"
    )
    return made


def _explained(error: LayerError) -> LayerError:
    if isinstance(error, ExportError):
        error.expected = f"a layer that ONNX can say: {error.expected}"
    return error
