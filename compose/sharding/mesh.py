"""The mesh of devices that a training runs on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh

from compose.core.errors import ConfigError

BATCH, MODEL = "data", "model"
Devices = int | str | Mapping[str, int]


def mesh_of(devices: Devices | Mesh, sharding: Any = None) -> Mesh:
    """A mesh whose axes the compiler partitions over.

    Args:
        devices: a number of devices, or `"all"`; the sizes of named axes, as in `{"data": 4, "model": 2}`; or a mesh,
            whose explicit axes become automatic ones.
        sharding: that of `fit`. For `"tensor"`, a plain number of devices is the size of the axis `"model"`, else of
            the axis `"data"`.

    Raises `ConfigError` if there are not so many devices.
    """
    if isinstance(devices, Mesh):
        return _automatic(devices.devices, tuple(devices.axis_names))
    there = jax.devices()
    if isinstance(devices, Mapping):
        given: dict[str, Any] = dict(devices)
    else:
        given = {MODEL if sharding == "tensor" else BATCH: len(there) if devices == "all" else devices}
    sizes = {name: n for name, n in given.items() if isinstance(n, int) and not isinstance(n, bool) and n >= 1}
    if not sizes or len(sizes) < len(given):
        raise ConfigError("devices as a number, 'all', or sizes of axes such as {'data': 4, 'model': 2}", repr(devices))
    needed = math.prod(sizes.values())
    if needed > len(there):
        raise ConfigError(
            f"at most {len(there)} devices, as many as JAX sees", f"{needed} for devices={devices!r}",
            "on a CPU, JAX_NUM_CPU_DEVICES=8 in the environment makes it eight",
        )  # fmt: skip
    return _automatic(np.asarray(there[:needed]).reshape(tuple(sizes.values())), tuple(sizes))


def batch_axis(mesh: Mesh) -> str | None:
    """The axis of a mesh that batches are split over: `"data"`, or the first one if none is called `"model"`."""
    names = mesh.axis_names
    if BATCH in names:
        return BATCH
    return None if MODEL in names else names[0]


def _automatic(devices: np.ndarray, names: tuple[str, ...]) -> Mesh:
    return Mesh(devices, names, axis_types=(AxisType.Auto,) * len(names))
