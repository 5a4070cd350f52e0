"""Sizes that a port is right for alone: those that Python reads, by `len(x)`, a loop over examples or `x.shape[1]`.

The exporter writes such a size down as a number. Whether one was read shows in the operations that the model calls for
another size; whether the network depends on it, in the network that is read for that size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from compose.core.errors import ComposeError, PortError
from compose.port.frontends.torch.calls import Call
from compose.port.frontends.torch.capture import in_inference, quiet
from compose.port.ir.graph import SourceGraph
from compose.port.lowering import fixed_sizes
from compose.port.lowering.fixed_sizes import alike, takes
from compose.port.proof.sizes import Axes, axes_of_one_size, resized
from compose.port.structure.canonicalize import canonicalize

_OF_SHAPES = ("view", "_unsafe_view", "reshape", "_reshape_alias", "expand", "as_strided")


def fixed_axes(
    model: torch.nn.Module, call: Call, graph: SourceGraph, free: bool, sized: bool, shown: bool,
    again: Callable[[Call], SourceGraph],
) -> Axes:  # fmt: skip
    """The axes, as pairs of an input and its axis, for whose sizes alone the network is right.

    Args:
        free: whether the batch was left free, so that it is not among them.
        sized: whether the network may depend on a length although the model reads none.
        shown: whether a length is free only if the network for another one was seen to be the same.
        again: reads the model again, as called with other sizes.
    """
    batch, *lengths = list(axes_of_one_size([tuple(x.shape) for x in call.tensors])) or [[]]
    fixed = [] if free or not batch or _free_batch(model, call, batch, graph, again) else batch
    first = _operations(model, call) if lengths and not sized else None
    is_fixed = lambda axes: _is_fixed(model, call, axes, graph, first, again, shown)
    return [*fixed, *(a for axes in lengths if is_fixed(axes) for a in axes)]


def _free_batch(
    model: torch.nn.Module, call: Call, axes: Axes, graph: SourceGraph, again: Callable[[Call], SourceGraph]
) -> bool:
    """Whether a network that was read for one batch is that for others, of those that the model takes."""
    tried = [*_calls(call, axes), *_smaller(call, axes)]
    taken = [other for other in tried if _operations(model, other) is not None]
    return bool(taken) and all(_is_same(graph, other, again) for other in taken)


def _is_fixed(
    model: torch.nn.Module, call: Call, axes: Axes, graph: SourceGraph, first: list | None,
    again: Callable[[Call], SourceGraph], shown: bool,
) -> bool:  # fmt: skip
    """Whether the network takes another length and is wrong for it; with `shown`, also where that is not known."""
    for other in _calls(call, axes):
        operations = _operations(model, other)
        if operations is not None and takes(
            graph, specs(graph, call), specs(graph, other)
        ):  # else one of both takes no such length
            return operations != first and not _is_same(graph, other, again)
        if operations is not None and operations != first:
            found = _recognized(graph, call)  # whose layers may take what those of the graph do not
            if found is not None and takes(found, specs(found, call), specs(found, other)):
                return not _is_same(found, other, lambda other: _recognized(again(other), other))
    return shown


def _recognized(graph: SourceGraph, call: Call) -> SourceGraph | None:
    """The graph with the layers that it writes out; None where a layer does not take the call."""
    try:
        ops, output = canonicalize(graph, dict(zip(graph.inputs, specs(graph, call))))
    except ComposeError:
        return None
    return replace(graph, ops=tuple(ops), outputs=output)


def _is_same(graph: SourceGraph, call: Call, again: Callable[[Call], SourceGraph | None]) -> bool:
    """Whether the network for another call is the same."""
    try:
        other = again(call)
    except PortError:
        return False
    return other is not None and alike(graph, other)


def _calls(call: Call, axes: Axes) -> Iterator[Call]:
    arrays = [x.detach().cpu().numpy() for x in call.tensors]
    for made in resized(arrays, axes, np.random.default_rng(0)):
        yield call.of_tensors(map(torch.from_numpy, made))


def _smaller(call: Call, axes: Axes) -> Iterator[Call]:
    """The call with few examples, for which a model may do something else."""
    inside = {i for i, axis in axes if axis == 0}
    n = min((len(x) for i, x in enumerate(call.tensors) if i in inside), default=0)
    for size in dict.fromkeys((n // 2, 2)):
        if 0 < size < n:
            yield call.of_tensors(x[:size] if i in inside else x for i, x in enumerate(call.tensors))


def _operations(model: torch.nn.Module, call: Call) -> list | None:
    """The operations that a model calls, with their numbers but those of shapes; None if it raises."""
    seen: list = []
    try:
        with in_inference(model), quiet(), torch.no_grad(), FakeTensorMode(allow_non_fake_inputs=True) as fake:
            tensors = [fake.from_tensor(x) for x in call.tensors]
            with _Recorder(seen):
                call.run(model, tensors)
    except Exception:
        return None
    return seen


class _Recorder(TorchDispatchMode):
    def __init__(self, seen: list):
        super().__init__()
        self._seen = seen

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = str(func).partition(".")[2].partition(".")[0]
        numbers = [
            None if isinstance(a, torch.Tensor) or callable(a) else a for a in pytree.tree_leaves((args, kwargs))
        ]
        if name == "slice" and len(args) > 3 and args[3] is not None and args[3] >= args[0].shape[args[1]]:
            numbers[3] = None
        self._seen.append((func, None if name in _OF_SHAPES else numbers))
        return func(*args, **kwargs)


def specs(graph: SourceGraph, call: Call) -> list[jax.ShapeDtypeStruct]:
    """The inputs of a graph for a call."""
    dtype = lambda x: jnp.dtype(str(x.dtype).removeprefix("torch."))
    return fixed_sizes.specs(graph, [jax.ShapeDtypeStruct(tuple(x.shape), dtype(x)) for x in call.tensors])
