"""Arrays that are split over processes, in a folder beside a checkpoint's file: each process writes and reads its part.

orbax writes them, and reads them for any other number of devices and processes. It does not notice damaged bytes, so
the checkpoint's file has a checksum of each array, which does not depend on how the array is split.
"""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Sharding

from compose.core.errors import ConfigError, FileError

SPLIT = "split"  # the entry of the metadata


def folder_of(path: str | os.PathLike) -> Path:
    """The folder that goes with a checkpoint's file."""
    return Path(path).with_suffix(".arrays")


def write_split(path: str | os.PathLike, arrays: dict[str, jax.Array]) -> str:
    """Write arrays into the folder of a file, in all processes at once. Returns the entry of the file's metadata."""
    ocp = _orbax()
    numbered = {str(i): array for i, array in enumerate(arrays.values())}
    with ocp.Checkpointer(ocp.PyTreeCheckpointHandler()) as writer:
        writer.save(folder_of(path).absolute(), args=ocp.args.PyTreeSave(numbered), force=True)
    entries = {
        name: {"shape": array.shape, "dtype": array.dtype.name, "sum": checksum(array)}
        for name, array in arrays.items()
    }
    return json.dumps(entries)


def read_split(path: str | os.PathLike, entry: str, places: dict[str, Sharding | None]) -> dict[str, Any]:
    """The arrays in the folder of a file, unchecked, each where it belongs; on the host without a place.

    Raises `FileError` for what cannot be read here.
    """
    ocp = _orbax()
    entries = json.loads(entry)
    like, how = {}, {}
    for i, (name, found) in enumerate(entries.items()):
        shape, dtype, place = tuple(found["shape"]), jnp.dtype(found["dtype"]), places.get(name)
        like[str(i)] = jax.ShapeDtypeStruct(shape, dtype, sharding=place)
        how[str(i)] = (
            ocp.RestoreArgs(restore_type=np.ndarray)
            if place is None
            else ocp.ArrayRestoreArgs(sharding=place, global_shape=shape, dtype=dtype)
        )
    folder = folder_of(path).absolute()
    if not folder.is_dir():
        raise FileError(f"{folder}: missing; it goes with {path}, on a file system that all processes see")
    try:
        # the handler itself, since a Checkpointer waits for processes that may have failed
        reader = ocp.PyTreeCheckpointHandler()
        found = reader.restore(folder, args=ocp.args.PyTreeRestore(item=like, restore_args=how))
    except Exception as e:  # orbax and tensorstore raise many kinds for damaged files
        raise FileError(f"{folder}: damaged: {' '.join(str(e).split())[:300]}") from None
    return {name: found[str(i)] for i, name in enumerate(entries)}


def check_split(path: str | os.PathLike, entry: str, arrays: dict[str, Any]) -> None:
    """Raise `FileError` unless the arrays are those that were written, in all processes at once."""
    for name, wanted in json.loads(entry).items():
        if checksum(arrays[name]) != wanted["sum"]:
            raise FileError(f"{folder_of(path)}: damaged: the bytes of {name} do not match its checksum")


def checksum(array: Any) -> list[int]:
    """Two numbers that any one flipped bit changes, however the array is split over devices."""
    return [int(n) for n in _checksum(array)]


@jax.jit
def _checksum(array: Any) -> tuple[jax.Array, ...]:
    """Sums modulo 2³² of the words times odd numbers by position: such sums have the same value in any order."""
    if array.dtype == bool:
        words = array.astype(jnp.uint32)
    else:
        size = array.dtype.itemsize
        words = lax.bitcast_convert_type(array, {1: jnp.uint8, 2: jnp.uint16}.get(size, jnp.uint32)).astype(jnp.uint32)
    place = jnp.zeros((), jnp.uint32)
    for axis, n in enumerate(words.shape):
        place = place * jnp.uint32(n) + lax.broadcasted_iota(jnp.uint32, words.shape, axis)
    one = (place * jnp.uint32(0x9E3779B1)) ^ ((place * jnp.uint32(0x85EBCA77)) >> 15)
    two = (place * jnp.uint32(0xC2B2AE3D)) ^ ((place * jnp.uint32(0x27D4EB2F)) >> 13)
    return tuple(jnp.sum(words * (weight | jnp.uint32(1)), dtype=jnp.uint32) for weight in (one, two))


def _orbax() -> Any:
    try:
        import orbax.checkpoint as ocp
    except ImportError:
        raise ConfigError(
            "the package orbax-checkpoint, for checkpoints of parameters that are split over processes",
            "none installed", 'pip install "compose-jax[distributed]"',
        ) from None  # fmt: skip
    logging.getLogger("absl").setLevel(logging.ERROR)  # it tells every step that it takes
    return ocp
