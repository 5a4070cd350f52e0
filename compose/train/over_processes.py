"""A training over the devices of several processes: what each holds of arrays, and what they agree on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import NamedSharding, PartitionSpec

from compose.core.errors import ConfigError, DataError
from compose.distributed import exchange
from compose.sharding.mesh import batch_axis
from compose.train.chunk import Chunk
from compose.train.distribution import OverMesh


@dataclass(frozen=True)
class OverProcesses(OverMesh):
    """Over a mesh of devices of all processes, each of which runs the same program on its own devices.

    What the host decides between steps, such as how many to run at once, is what process 0 says, since a step waits for
    all the processes.
    """

    spread: ClassVar[bool] = True

    @property
    def first(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return jax.process_index() == 0

    @property
    def share(self) -> float:
        """The part of a batch that the devices of this process compute."""
        places = self._rows(1).addressable_devices_indices_map((self.parts,))
        return len({str(index) for index in places.values()}) / self.parts

    def whole(self, tree: Any) -> Any:
        return jax.tree.map(lambda a: _put(a, self._whole), tree)

    def place(self, params: Any, tree: Any) -> Any:
        return jax.tree.map(_put, tree, self._places(params, tree))

    def read(self, array: Any, table: np.ndarray) -> Any:
        """`array[table]` over the devices; the columns of the table are split, and each process reads its own alone."""
        own: dict[str, np.ndarray] = {}

        def part(index: Any) -> np.ndarray:
            rows = table[index[:2]]
            if (key := str(index)) not in own:
                own[key] = _host(array[rows.ravel()]).reshape(rows.shape + array.shape[1:])
            return own[key]

        return jax.make_array_from_callback(table.shape + array.shape[1:], self._rows(2), part)

    def batch(self, arrays: Any, order: Any, offset: Any, i: Any, size: int) -> Any:
        if order is not None:
            return super().batch(arrays, order, offset, i, size)
        one = lambda a: lax.dynamic_index_in_dim(a, i, keepdims=False)
        return self.split(jax.tree.map(lambda a: lax.with_sharding_constraint(one(a), self._rows(1))[:size], arrays))

    def joined(self, arrays: Any, count: int | None) -> Chunk | None:
        """The parts of all processes, in their order, as one batch."""
        counts = exchange.gathered([-1 if count is None else count])[:, 0]
        if (counts < 0).all():
            return None
        if (counts < 0).any():
            raise DataError(
                "every process must get as many batches in an epoch; there was none in process "
                f"{', '.join(map(str, np.flatnonzero(counts < 0)))} when others got one"
            )
        each = self.parts // len(counts)  # devices of a process
        rows = -(-int(counts.max()) // each) * each
        valid = np.concatenate([p * rows + np.arange(n) for p, n in enumerate(counts)])

        def place(a: Any, axes: int) -> Any:
            padded = np.pad(_host(a), ((0, rows - len(a)), *((0, 0),) * (a.ndim - 1)), mode="constant")
            padded = padded.reshape((1,) * (axes - 1) + padded.shape)
            shape = (1,) * (axes - 1) + (rows * len(counts), *a.shape[1:])
            return jax.make_array_from_process_local_data(self._rows(axes), padded, shape)

        total = len(valid)
        if np.array_equal(valid, np.arange(total)):  # what is padded is at the end
            return Chunk(jax.tree.map(lambda a: place(a, 2), arrays), None, 0, 1, total)
        order = self.whole(valid.astype(np.int32))
        return Chunk(jax.tree.map(lambda a: place(a, 1), arrays), order, 0, 1, total)

    def check_streams(self) -> None:
        """Raise `ConfigError` unless each process has rows of its own, which streams need."""
        n = jax.process_count()
        owners = [d.process_index for d in self.mesh.devices.flat]
        if self.parts != len(owners) or owners != sorted(owners) or self.parts % n:
            raise ConfigError(
                "a mesh of one axis, in the order of jax.devices(), for streams of batches in several processes",
                str(dict(self.mesh.shape)), "arrays, such as files mapped into memory, go with every mesh",
            )  # fmt: skip

    def most(self, value: int) -> int:
        return exchange.most(value)

    def of_first(self, value: float) -> float:
        return exchange.of_first(value)

    def said(self, value: Any) -> list[Any]:
        return exchange.said(value)

    def _rows(self, axes: int) -> NamedSharding:
        """The layout of arrays whose `axes`-th axis counts the examples of a batch."""
        return NamedSharding(self.mesh, PartitionSpec(*(None,) * (axes - 1), batch_axis(self.mesh)))


def _put(array: Any, sharding: NamedSharding) -> Any:
    """An array that all processes have, or that is over all of them already, as the sharding says."""
    if isinstance(array, jax.Array) and not array.is_fully_addressable:
        return array if array.sharding == sharding else jax.jit(_identity, out_shardings=sharding)(array)
    if isinstance(array, jax.Array) and jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
        data = _put(jax.random.key_data(array), sharding)
        return jax.random.wrap_key_data(data, impl=jax.random.key_impl(array))
    host = _host(array)
    return jax.make_array_from_callback(host.shape, sharding, lambda index: host[index])


def _identity(array: Any) -> Any:
    return array


def _host(array: Any) -> np.ndarray:
    found = np.asarray(array)
    return found.astype(jax.dtypes.canonicalize_dtype(found.dtype), copy=False)
