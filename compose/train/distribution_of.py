"""The distribution of a training for the arguments of `fit`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
from jax.sharding import Mesh

from compose.core.errors import ConfigError
from compose.sharding.mesh import mesh_of
from compose.train.distribution import ONE_DEVICE, Distribution, OverMesh
from compose.train.over_processes import OverProcesses


def distribution_of(devices: Any, mesh: Any, sharding: Any) -> Distribution:
    """That for `devices`, `mesh` and `sharding`; in several processes, all devices of all of them without a choice.

    Raises `ConfigError`.
    """
    if devices is None and mesh is None and jax.process_count() > 1:
        devices = "all"
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
    owners = {device.process_index for device in made.devices.flat}
    if owners == {jax.process_index()}:
        return OverMesh(made, rules)
    if len(owners) < jax.process_count():
        raise ConfigError(
            f"devices of every one of {jax.process_count()} processes, or of this one alone",
            f"a mesh of devices of {len(owners)}",
            "without devices= and mesh= all devices train together; to train in each process by itself, give a mesh of "
            "jax.local_devices()",
        )  # fmt: skip
    return OverProcesses(made, rules)
