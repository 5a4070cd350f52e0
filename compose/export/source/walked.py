"""From a network and its weights to what the writer of a framework wrote."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from compose import ops
from compose.core.errors import LayerError
from compose.core.layer import Layer
from compose.core.plan import plan, specs
from compose.core.precision import specs_as_wide_as
from compose.core.run import as_arrays, check_params, pack
from compose.export.errors import ExportError
from compose.export.source.code import Code
from compose.export.source.value import Value
from compose.export.source.writer import SourceWriter


def walked(
    writer: SourceWriter, net: Layer, params: Any, state: Any, inputs: tuple, labels: Callable[[int], list[str]]
) -> tuple[list[Any], Any]:
    """Walk over a network with `labels` for so many inputs: the leaves of its inputs, and its output as values."""
    given = as_arrays(pack(inputs))
    check_params(net, plan(net, specs(given)), params, state)
    leaves, tree = jax.tree.flatten(given)
    tokens = [writer.token() for _ in leaves]
    writer.code = Code(tokens, labels(len(leaves)))
    values = [Value(t, tuple(leaf.shape), np.dtype(leaf.dtype)) for t, leaf in zip(tokens, leaves)]
    wide = zip(values, jax.tree.leaves(specs_as_wide_as(params, specs(given))))
    try:
        values = [v if v.dtype == a.dtype else writer.layer(ops.astype(dtype=a.dtype), {}, {}, v) for v, a in wide]
        y = writer.layer(net, params, state, jax.tree.unflatten(tree, values))
    except LayerError as e:
        if isinstance(e, ExportError):
            e.expected = f"a layer that {writer.framework} source can say: {e.expected}"
        raise e
    return leaves, writer.named(jax.tree.map(writer.last, y))
