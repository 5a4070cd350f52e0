"""How parameters are laid out over a mesh, by rules on their paths."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import jax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from compose.core import patterns
from compose.core.errors import ConfigError
from compose.sharding.mesh import MODEL, batch_axis

Spec = tuple[str | tuple[str, ...] | None, ...] | PartitionSpec
Rules = str | Mapping[str, Spec]
KINDS = ("replicated", "fsdp", "tensor")
SMALL = 1024  # elements up to which a parameter is not worth splitting

# Megatron-LM's layout (Shoeybi et al., 2019): the first of two products is split by columns and the second by rows, so
# that only the second one's result is summed over devices. Layers of `fc` come in such pairs, attention is one.
_TENSOR: tuple[tuple[str, Spec], ...] = (
    (r"(query|key|value)_kernel", (None, MODEL)),
    (r"(query|key|value)_bias", (MODEL,)),
    (r"out_kernel", (MODEL, None)),
    (r"embedding", (MODEL, None)),
    (r"fc_\d*[02468]/kernel", (None, MODEL)),
    (r"fc_\d*[02468]/bias", (MODEL,)),
    (r"fc_\d*[13579]/kernel", (MODEL, None)),
)


def shardings(params: Any, mesh: Mesh, rules: Rules = "replicated") -> Any:
    """The sharding of each parameter, as a tree for `jax.device_put`, or for `in_shardings` of `jax.jit`.

    Args:
        params: the parameters, or their shapes, such as `jax.eval_shape` gives.
        mesh: the mesh, see `jax.make_mesh`; its axes must be of type `Auto`.
        rules: `"replicated"`: every device has all. `"fsdp"`: each parameter is split along its largest axis that the
            number of devices divides, as in fully sharded data parallel training (ZeRO-3). `"tensor"`: dense layers,
            attention and embeddings are split over the mesh axis `"model"`, as in Megatron-LM. Or a dict from patterns
            of paths to the mesh axes of a parameter's last axes, as in `{"**/kernel": (None, "model")}`; the first
            pattern that fits counts, and parameters that none fits are replicated.

    Raises `ConfigError` for a rule that fits nothing, and for axes that the mesh has not or that it does not divide.

    >>> import jax
    >>> from compose import fc, spec
    >>> params, _ = jax.eval_shape(lambda: fc(4).init(0, spec(8)))
    >>> found = shardings(params, jax.make_mesh((1,), ("model",)), {"kernel": (None, "model")})
    >>> found["kernel"].spec == jax.P(None, "model"), found["bias"].spec == jax.P()
    (True, True)
    """
    if isinstance(rules, str):
        if rules not in KINDS:
            raise ConfigError(f"sharding {', '.join(map(repr, KINDS))} or a dict of patterns", repr(rules))
        if rules == "tensor" and MODEL not in mesh.axis_names:
            raise ConfigError(f"a mesh with an axis {MODEL!r} for sharding='tensor'", _axes(mesh))
        specs = jax.tree_util.tree_map_with_path(lambda path, a: _by_kind(rules, path, a.shape, mesh), params)
    else:
        chosen = patterns.chosen({k: _Given(v) for k, v in rules.items()}, params, "sharding", _Given(()))
        place = lambda path, a, given: _checked(path, a.shape, given.spec, mesh)
        specs = jax.tree_util.tree_map_with_path(place, params, chosen)
    return jax.tree.map(lambda spec: NamedSharding(mesh, spec), specs, is_leaf=lambda v: isinstance(v, PartitionSpec))


class _Given:
    """A rule's axes as one leaf of a tree."""

    def __init__(self, spec: Spec):
        self.spec = tuple(spec)


def _by_kind(kind: str, path: Any, shape: tuple[int, ...], mesh: Mesh) -> PartitionSpec:
    if kind == "replicated" or math.prod(shape) < SMALL:
        return PartitionSpec()
    if kind == "fsdp":
        axis = batch_axis(mesh) or mesh.axis_names[0]
        fitting = [i for i, n in enumerate(shape) if n % mesh.shape[axis] == 0]
        if not fitting:
            return PartitionSpec()
        largest = max(fitting, key=lambda i: (shape[i], i))
        return PartitionSpec(*(axis if i == largest else None for i in range(len(shape))))
    text = jax.tree_util.keystr(path, simple=True, separator="/")
    spec = next((spec for pattern, spec in _TENSOR if re.search(f"(^|/){pattern}$", text)), ())
    if len(spec) > len(shape) or any(not _divides(n, names, mesh) for n, names in zip(shape[::-1], spec[::-1])):
        return PartitionSpec()
    return _behind(spec, shape)


def _checked(path: Any, shape: tuple[int, ...], spec: Spec, mesh: Mesh) -> PartitionSpec:
    name = jax.tree_util.keystr(path, simple=True, separator="/")
    unknown = [axis for names in spec for axis in _names(names) if axis not in mesh.axis_names]
    if unknown:
        raise ConfigError(f"axes of the mesh, {_axes(mesh)}, in the sharding of {name}", repr(unknown[0]))
    if len(spec) > len(shape):
        raise ConfigError(f"at most {len(shape)} axes in the sharding of {name} {shape}", repr(tuple(spec)))
    for n, names in zip(shape[::-1], spec[::-1]):
        if not _divides(n, names, mesh):
            raise ConfigError(
                f"axes that divide the parameter {name} {shape}", f"{n} over {names!r} in a mesh {_axes(mesh)}",
                f"give {name} a rule of its own before this one, such as {{{name!r}: ()}}",
            )  # fmt: skip
    return _behind(spec, shape)


def _behind(spec: Spec, shape: tuple[int, ...]) -> PartitionSpec:
    """The axes of a rule are the last ones, since `repeat` stacks parameters in front."""
    return PartitionSpec(*(None,) * (len(shape) - len(spec)), *spec) if any(spec) else PartitionSpec()


def _divides(n: int, names: Any, mesh: Mesh) -> bool:
    return n % math.prod(mesh.shape[name] for name in _names(names)) == 0


def _names(names: Any) -> tuple[str, ...]:
    return () if names is None else (names,) if isinstance(names, str) else tuple(names)


def _axes(mesh: Mesh) -> str:
    return str(dict(mesh.shape))
