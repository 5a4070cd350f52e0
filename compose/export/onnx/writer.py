"""The walk over words: each layer writes its nodes by its rule, or as the operations that it runs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from jax.errors import InconclusiveDimensionOperation

from compose.combinators.over_time import OverTime
from compose.core.errors import LayerError
from compose.core.layer import Layer
from compose.core.padding import has_steps
from compose.core.plan import plan
from compose.export.errors import ExportError
from compose.export.onnx import registry
from compose.export.onnx.dims import is_symbolic, linear, static
from compose.export.onnx.graph import Graph, Operand, Value, onnx_dtype
from compose.export.walk import Walk
from compose.layers.attention.multi_head import multi_head_attention
from compose.layers.norm.batch import batch_norm
from compose.layers.norm.renorm import batch_renorm

KNOW_MASK = (OverTime, multi_head_attention, batch_norm, batch_renorm)  # whose rules read it, or need it in training
FIXED = "export it for a fixed batch size, as in batch=1"


class Writer(Walk):
    """What rules write with: the graph, the path of the layer being written, and what is shared around it."""

    def __init__(self, graph: Graph, mask: Any = None):
        super().__init__()
        self.graph, self.mask = graph, mask

    # Layers

    def layer(self, layer: Layer, params: Any, state: Any, x: Any, key: str | None = None) -> Any:
        with self.at(key):
            try:
                rule = registry.rule_of(layer)
                if rule is None or self._leaves_out_padding(layer, x):
                    y = NotImplemented
                else:
                    y = rule(self, layer, params, state, x)
                if y is NotImplemented:
                    from compose.export.onnx.program import written_as_program

                    y = written_as_program(self, layer, params, state, x)
            except InconclusiveDimensionOperation as e:
                first = str(e).splitlines()[0]
                raise ExportError("sizes that do not depend on the batch", first, FIXED).locate(layer, path=self.path)
            except LayerError as e:
                raise e.locate(layer, path=self.path)
            return y

    def _leaves_out_padding(self, layer: Layer, x: Any) -> bool:
        """Whether a layer must know the mask, of which its rule knows nothing."""
        if self.mask is None or isinstance(layer, KNOW_MASK) or not layer.knows_mask(x):
            return False
        return any(has_steps(part, self.mask) for part in jax.tree.leaves(x))

    @contextlib.contextmanager
    def masked(self, mask: Any) -> Iterator[None]:
        """The mask of the layers inside."""
        before, self.mask = self.mask, mask
        try:
            yield
        finally:
            self.mask = before

    def named(self, tree: Any) -> Any:
        """Arrays that are to be named by their place in the tree under the current path."""
        return jax.tree_util.tree_map_with_path(self._kept, tree)

    def _kept(self, path: Any, leaf: Any) -> Any:
        name = "/".join((*self.path, *(str(k.key) for k in path)))
        return self.graph.weigh(np.array(leaf), name) if isinstance(leaf, np.ndarray) else leaf

    def renamed(self, before: Any, after: Any) -> Any:
        """The arrays of a tree like another, under the names of its weights."""

        def rename(old: Any, new: Any) -> Any:
            known = self.graph.weight_names.get(id(old))
            return self.graph.weigh(new, known[1]) if known and isinstance(new, np.ndarray) else new

        return jax.tree.map(rename, before, after)

    @property
    def where(self) -> str:
        return "/".join(self.path)

    # Nodes

    def node(self, op: str, *inputs: Operand | None, like: Any = None, shape: Any = None, dtype: Any = None,
             **attributes: Any) -> Value:  # fmt: skip
        """A node with one output, of the shape and dtype of `like` or as given."""
        like = next(i for i in inputs if i is not None) if like is None else like
        (name,) = self.graph.node(op, list(inputs), self.where, **attributes)
        return Value(
            name, tuple(like.shape if shape is None else shape), np.dtype(like.dtype if dtype is None else dtype)
        )

    def nodes(self, op: str, inputs: list, outputs: list[tuple[Any, Any]], **attributes: Any) -> list[Value]:
        """A node with several outputs, a shape and a dtype each."""
        names = self.graph.node(op, inputs, self.where, len(outputs), **attributes)
        names = names if len(outputs) > 1 else names[:1]
        return [Value(n, tuple(shape), np.dtype(dtype)) for n, (shape, dtype) in zip(names, outputs)]

    def weight(self, array: Any, name: str) -> Operand:
        """A weight in the layout of ONNX, under the path of the layer; a computed one stays as it is."""
        if isinstance(array, Value):
            return array
        return self.graph.weigh(np.ascontiguousarray(array), f"{self.where}/{name}" if self.where else name)

    def scalar(self, value: float, like: Any) -> np.ndarray:
        return np.asarray(value, like.dtype)

    # Operations that many rules need

    def transpose(self, x: Operand, order: tuple[int, ...]) -> Operand:
        if order == tuple(range(len(x.shape))):
            return x
        if isinstance(x, np.ndarray):
            return x.transpose(order)
        return self.node("Transpose", x, shape=[x.shape[i] for i in order], perm=list(order))

    def channels_first(self, x: Operand) -> Operand:
        return self.transpose(x, (0, x.ndim - 1, *range(1, x.ndim - 1)))

    def channels_last(self, x: Operand) -> Operand:
        return self.transpose(x, (0, *range(2, x.ndim), 1))

    def reshape(self, x: Operand, shape: Any) -> Operand:
        """Another shape; one size that depends on the batch is -1."""
        shape = tuple(shape)
        if tuple(x.shape) == shape:
            return x
        if isinstance(x, np.ndarray):
            return x.reshape(shape)
        open_sizes = [i for i, n in enumerate(shape) if is_symbolic(n)]
        if len(open_sizes) <= 1:
            target: Operand = np.array([-1 if is_symbolic(n) else n for n in shape], np.int64)
        else:
            target = self.sizes(shape)
        return self.node("Reshape", x, target, shape=shape)

    def sizes(self, shape: Any) -> Operand:
        """A shape as a tensor, computed from the input where it depends on the batch."""
        if static(shape):
            return np.array(shape, np.int64)
        parts: list[Operand] = []
        for n in shape:
            if not is_symbolic(n):
                if parts and isinstance(parts[-1], np.ndarray):
                    parts[-1] = np.append(parts[-1], np.int64(n))
                else:
                    parts.append(np.array([n], np.int64))
                continue
            a, b = linear(n)
            part: Operand = self.graph.batch_size()
            part = self.node("Mul", part, np.array([a], np.int64)) if a != 1 else part
            part = self.node("Add", part, np.array([b], np.int64)) if b else part
            parts.append(part)
        return parts[0] if len(parts) == 1 else self.node("Concat", *parts, like=parts[0], shape=(len(shape),), axis=0)

    def expand(self, x: Operand, shape: Any) -> Operand:
        """Broadcast to a shape of the same rank."""
        if tuple(x.shape) == tuple(shape):
            return x
        if isinstance(x, np.ndarray) and static(shape):
            return np.broadcast_to(x, tuple(shape))
        return self.node("Expand", x, self.sizes(shape), shape=shape)

    def cast(self, x: Operand, dtype: Any) -> Operand:
        if np.dtype(x.dtype) == np.dtype(dtype):
            return x
        if isinstance(x, np.ndarray):
            return x.astype(dtype)
        return self.node("Cast", x, dtype=dtype, to=onnx_dtype(dtype))

    def slice(self, x: Operand, starts: Any, stops: Any, steps: Any = None, axes: Any = None) -> Operand:
        """`x[start:stop:step]` along the given axes, all by default; sizes that are kept whole are left out."""
        axes = range(x.ndim) if axes is None else axes
        steps = [1] * len(starts) if steps is None else steps
        shape, kept = list(x.shape), []
        for axis, lo, hi, by in zip(axes, starts, stops, steps):
            whole = not is_symbolic(lo) and lo == 0 and by == 1 and hi == x.shape[axis]
            if whole:
                continue
            length = -(-(hi - lo) // by)
            if is_symbolic(lo) or is_symbolic(hi):
                lo, hi = (_from_end(n, x.shape[axis]) for n in (lo, hi))
            kept.append((axis, lo, hi, by))
            shape[axis] = length
        if not kept:
            return x
        ints = [np.array(column, np.int64) for column in zip(*kept)]
        if isinstance(x, np.ndarray):
            index = [slice(None)] * x.ndim
            for axis, lo, hi, by in kept:
                index[axis] = slice(lo, hi, by)
            return x[tuple(index)]
        return self.node("Slice", x, ints[1], ints[2], ints[0], ints[3], shape=shape)

    def out(self, layer: Layer, x: Any) -> Any:
        """The abstract output of a layer without parameters."""
        return plan(layer, self.specs(x)).out

    def specs(self, tree: Any) -> Any:
        """The shapes and dtypes of a tree of values and arrays."""
        return jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), tree)


def _from_end(position: Any, length: Any) -> int:
    """A position that depends on the batch size, counted from the end of the axis."""
    if not is_symbolic(position):
        return position
    (a, b), (c, d) = linear(position), linear(length)
    if a != c or b > d:
        raise ExportError("a slice that does not depend on the batch size", f"one at {position} of {length}")
    return b - d if b < d else np.iinfo(np.int64).max
