"""A training over the devices of a mesh: where its arrays are, and how its steps are split."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import Mesh, NamedSharding, PartitionSpec, Sharding

from compose.core.layer import Layer
from compose.core.plan import plan
from compose.core.run import init
from compose.sharding.mesh import batch_axis
from compose.sharding.rules import Rules, shardings
from compose.train.chunk import Chunk
from compose.train.copies import on_device


@dataclass(frozen=True)
class Distribution:
    """Where the arrays of a training are: here all on one device, so that there is nothing to do in a step.

    Attributes:
        spread: whether the devices are those of several processes.
        first: whether this process is the one that prints and writes files.
        parts: into how many parts batches are split.
    """

    spread: ClassVar[bool] = False
    first: ClassVar[bool] = True

    @property
    def parts(self) -> int:
        return 1

    def batch(self, arrays: Any, order: Any, offset: Any, i: Any, size: int) -> Any:
        """In a compiled step: batch `i` of a chunk, its examples split over the devices."""
        rows = lax.dynamic_slice(order, (offset + i * size,), (size,))
        return self.split(jax.tree.map(lambda a: a.at[rows].get(mode="promise_in_bounds"), arrays))

    def joined(self, arrays: Any, count: int | None) -> Chunk | None:
        """A batch of a stream as a chunk; None at its end, where there are none."""
        if count is None:
            return None
        return Chunk(self.whole(arrays), self.whole(_rows(count)), 0, 1, count)

    def place_of(self, params: Any, name: str, shape: tuple[int, ...]) -> Sharding | None:
        """Where an array belongs that a file has by this name; None for the host."""
        return None

    def check_streams(self) -> None:
        """Raise `ConfigError` if batches of a stream cannot be split so."""

    def most(self, value: int) -> int:
        """The largest of the processes' numbers."""
        return value

    def of_first(self, value: float) -> float:
        """The number that the first process has."""
        return value

    def said(self, value: Any) -> list[Any]:
        """A value of JSON in each process."""
        return [value]

    def init(self, net: Layer, seed: int, inputs: Any) -> tuple[Any, Any]:
        """As `Layer.init`, but no device ever holds more than its part."""
        return init(net, seed, inputs)

    def whole(self, tree: Any) -> Any:
        """Arrays on every device."""
        return on_device(tree)

    def place(self, params: Any, tree: Any) -> Any:
        """Arrays where they belong: those that go with a parameter, such as its moments, where the parameter is."""
        return tree

    def together(self, tree: Any) -> Any:
        """Arrays that every device has whole, on one device; others as they are."""
        return tree

    def constrain(self, params: Any, tree: Any) -> Any:
        """As `place`, in a compiled step."""
        return tree

    def everywhere(self, tree: Any) -> Any:
        """As `whole`, in a compiled step."""
        return tree

    def split(self, tree: Any) -> Any:
        """In a compiled step: a batch, its examples split over the devices."""
        return tree


ONE_DEVICE = Distribution()


@dataclass(frozen=True)
class OverMesh(Distribution):
    """Over a mesh, by the compiler's partitioner: batches are split over the axis `"data"`.

    Attributes:
        mesh: the mesh.
        rules: the layout of the parameters, see `compose.shardings`; a dict as a tuple of pairs.
    """

    mesh: Mesh
    rules: str | tuple[tuple[str, Any], ...] = "replicated"

    @functools.cached_property
    def _rules(self) -> Rules:
        return self.rules if isinstance(self.rules, str) else dict(self.rules)

    @property
    def _whole(self) -> NamedSharding:
        return NamedSharding(self.mesh, PartitionSpec())

    @property
    def parts(self) -> int:
        axis = batch_axis(self.mesh)
        return 1 if axis is None else self.mesh.shape[axis]

    def init(self, net: Layer, seed: int, inputs: Any) -> tuple[Any, Any]:
        planned = plan(net, inputs)
        places = shardings(planned.param_specs(), self.mesh, self._rules), self._whole
        return jax.jit(lambda: init(net, seed, inputs), out_shardings=places)()

    def whole(self, tree: Any) -> Any:
        return jax.device_put(super().whole(tree), self._whole)

    def place(self, params: Any, tree: Any) -> Any:
        return jax.device_put(tree, self._places(params, tree))

    def constrain(self, params: Any, tree: Any) -> Any:
        return lax.with_sharding_constraint(tree, self._places(params, tree))

    def together(self, tree: Any) -> Any:
        leaves = jax.tree.leaves(tree)
        if not all(isinstance(a, jax.Array) and a.is_fully_replicated for a in leaves):
            return tree
        return jax.tree.map(lambda a: a.addressable_data(0), tree)

    def everywhere(self, tree: Any) -> Any:
        return jax.tree.map(lambda a: lax.with_sharding_constraint(a, self._whole), tree)

    def split(self, tree: Any) -> Any:
        """As of `Distribution`.

        A batch that they do not divide evenly is cut out of a larger one that they do, since `jax.jit` refuses to
        split it itself; the compiler pads it on the last device. It is split over the other axes of the mesh too:
        where these hold copies of an uneven part, XLA adds what it padded into gradients of tables.
        """
        axis = batch_axis(self.mesh)
        if axis is None:
            return tree
        even = NamedSharding(self.mesh, PartitionSpec(axis))
        over_all = NamedSharding(self.mesh, PartitionSpec((axis, *(n for n in self.mesh.axis_names if n != axis))))

        def one(a: Any) -> Any:
            if a.shape[0] % self.parts == 0:
                return lax.with_sharding_constraint(a, even)
            missing = -a.shape[0] % self.mesh.size
            padded = jnp.concatenate([a, jnp.zeros((missing, *a.shape[1:]), a.dtype)])
            return lax.with_sharding_constraint(padded, over_all)[: a.shape[0]]

        return jax.tree.map(one, tree)

    def place_of(self, params: Any, name: str, shape: tuple[int, ...]) -> Sharding | None:
        return self._place(self._by_path(params), tuple(re.findall(r"[^/\[\].']+", name)), shape)

    def _places(self, params: Any, tree: Any) -> Any:
        by_path = self._by_path(params)
        place = lambda path, leaf: self._place(by_path, _names(path), jnp.shape(leaf))
        return jax.tree_util.tree_map_with_path(place, tree)

    def _by_path(self, params: Any) -> dict[tuple[str, ...], tuple[tuple[int, ...], NamedSharding]]:
        leaves, places = jax.tree_util.tree_leaves_with_path(params), shardings(params, self.mesh, self._rules)
        return {_names(path): (leaf.shape, place) for (path, leaf), place in zip(leaves, jax.tree.leaves(places))}

    def _place(self, by_path: dict, names: tuple[str, ...], shape: tuple[int, ...]) -> NamedSharding:
        """The place of the parameter whose path the names end in, if it has that shape; else every device."""
        for i in range(len(names)):
            like, found = by_path.get(names[i:], ((), None))
            if found is not None and like == shape:
                return found
        return self._whole


def _names(path: Any) -> tuple[str, ...]:
    return tuple(str(getattr(k, "key", getattr(k, "name", getattr(k, "idx", k)))) for k in path)


_orders: dict[int, Any] = {}


def _rows(count: int) -> Any:
    if count not in _orders:
        _orders[count] = jnp.arange(count, dtype=jnp.int32)
    return _orders[count]
