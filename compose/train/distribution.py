"""A training over the devices of a mesh: where its arrays are, and how its steps are split."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from compose.core.errors import ConfigError
from compose.core.layer import Layer
from compose.core.plan import plan
from compose.core.run import init
from compose.sharding.mesh import batch_axis, mesh_of
from compose.sharding.rules import Rules, shardings


@dataclass(frozen=True)
class Distribution:
    """Where the arrays of a training are: here all on one device, so that there is nothing to do in a step."""

    def init(self, net: Layer, seed: int, inputs: Any) -> tuple[Any, Any]:
        """As `Layer.init`, but no device ever holds more than its part."""
        return init(net, seed, inputs)

    def whole(self, tree: Any) -> Any:
        """Arrays on every device."""
        return jax.tree.map(jnp.asarray, tree)

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
        split it itself; the compiler pads it on the last device, and no value changes.
        """
        axis = batch_axis(self.mesh)
        if axis is None:
            return tree
        parts, sharding = self.mesh.shape[axis], NamedSharding(self.mesh, PartitionSpec(axis))

        def one(a: Any) -> Any:
            missing = -a.shape[0] % parts
            if not missing:
                return lax.with_sharding_constraint(a, sharding)
            padded = jnp.concatenate([a, jnp.zeros((missing, *a.shape[1:]), a.dtype)])
            return lax.with_sharding_constraint(padded, sharding)[: a.shape[0]]

        return jax.tree.map(one, tree)

    def _places(self, params: Any, tree: Any) -> Any:
        by_path = {
            _names(path): (leaf.shape, place)
            for (path, leaf), place in zip(
                jax.tree_util.tree_leaves_with_path(params),
                jax.tree.leaves(shardings(params, self.mesh, self._rules)),
            )
        }

        def place(path: Any, leaf: Any) -> NamedSharding:
            names = _names(path)
            for i in range(len(names)):
                shape, found = by_path.get(names[i:], ((), None))
                if found is not None and shape == jnp.shape(leaf):
                    return found
            return self._whole

        return jax.tree_util.tree_map_with_path(place, tree)


def distribution_of(devices: Any, mesh: Any, sharding: Any) -> Distribution:
    """That for the arguments of `fit`. Raises `ConfigError`."""
    where = devices if mesh is None else mesh
    if where is None:
        if sharding is not None:
            raise ConfigError("devices= or mesh= beside sharding=", f"sharding={sharding!r} alone")
        return ONE_DEVICE
    if devices is not None and mesh is not None:
        raise ConfigError("devices= or mesh=", "both")
    if mesh is not None and not isinstance(mesh, Mesh):
        raise ConfigError("mesh as a jax.sharding.Mesh, which jax.make_mesh gives", repr(mesh))
    rules = "replicated" if sharding is None else sharding
    if isinstance(rules, Mapping):
        rules = tuple((pattern, tuple(spec)) for pattern, spec in rules.items())
    elif not isinstance(rules, str):
        raise ConfigError("sharding as a name or a dict of patterns", repr(sharding))
    made = mesh_of(where, rules)
    if any(device.process_index != jax.process_index() for device in made.devices.flat):
        raise ConfigError(
            "devices of this process", f"a mesh over {jax.process_count()} processes",
            "fit trains on the devices of one process, as jax.local_devices() lists them; compose.shardings gives the "
            "layout for a loop of your own over several",
        )  # fmt: skip
    return OverMesh(made, rules)


def _names(path: Any) -> tuple[str, ...]:
    return tuple(str(getattr(k, "key", getattr(k, "name", getattr(k, "idx", k)))) for k in path)
