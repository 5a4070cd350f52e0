"""Loading a checkpoint with the source's names into a ported network."""

from __future__ import annotations

import os
from typing import Any

import jax.numpy as jnp
import numpy as np

from compose.core.errors import FileError
from compose.port.ir.reference import Arrays
from compose.port.result import Result
from compose.train.container import unpack

_PICKLES = (b"PK\x03\x04", b"\x80")  # torch.save's archive, which Keras's is too, and a bare pickle
_HDF = b"\x89HDF"
_CONVERT = {
    "torch": "safetensors.torch.save_model(model, path)",
    "flax": "safetensors.flax.save_file(flax.traverse_util.flatten_dict(variables, sep='/'), path)",
    "keras": "safetensors.numpy.save_file({v.path: keras.ops.convert_to_numpy(v) for v in model.weights}, path)",
}


def load_checkpoint(port: Result, path: str | os.PathLike, prefix: str = "") -> tuple[Any, Any]:
    """See `Ported.load_checkpoint`."""
    tensors = {name.removeprefix(prefix): array for name, array in sorted(_read(port, path).items())}
    saved, arrays = port.graph.saved, dict(port.graph.arrays)
    names = saved.names if saved else {name: name for name in arrays}
    _check_names(port, path, tensors, names)
    loaded: dict[str, str] = {}
    for name, value in tensors.items():
        source = names[name]
        old = arrays[source] if source in arrays else saved.rest[name] if saved else value
        _check_array(path, name, value, old)
        if source in loaded and not np.array_equal(value, tensors[loaded[source]]):
            raise FileError(f"{path}: {name} and {loaded[source]} differ, but the source ties them")
        if saved and name in saved.fixed and not np.array_equal(value, old):
            raise FileError(
                f"{path}: {name} is not a weight but part of the network, and differs from that of the model that was "
                "ported: load the checkpoint into the model and port it again"
            )
        loaded[source] = name
        arrays[source] = np.asarray(value, old.dtype)
    return port.weights.load(arrays, jnp.asarray)


def _read(port: Result, path: str | os.PathLike) -> Arrays:
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as e:
        raise FileError(f"{path}: cannot be read: {e.strerror or e}") from None
    try:
        return unpack(path, data)
    except FileError:
        if not data.startswith((*_PICKLES, _HDF)):
            raise
    kind = "an HDF5 file" if data.startswith(_HDF) else "a pickle or an archive, which may run code when loaded"
    how = _CONVERT.get(port.graph.saved.framework if port.graph.saved else "", "safetensors.numpy.save_file")
    raise FileError(
        f"{path}: {kind}; only safetensors is read. Load it where you trust it, into the model it belongs to, and "
        f"write it again: {how}"
    )


def _check_names(port: Result, path: Any, tensors: Arrays, names: dict[str, str]) -> None:
    """Raise `FileError` unless the file has each weight of the network, under one of its names, and nothing unknown."""
    present = {names[name] for name in tensors if name in names}
    sources = dict.fromkeys(record.view.source for record in port.weights)
    missing = [source for source in sources if source and source not in present]
    unknown = [name for name in tensors if name not in names]
    problems = [
        f"{label} {_listed(found)}"
        for label, found in (("no tensor", missing), ("no place for the tensor", unknown))
        if found
    ]
    if problems:
        raise FileError(f"{path}: {'; '.join(problems)}{_prefix_hint(missing, unknown)}")


def _prefix_hint(missing: list[str], unknown: list[str]) -> str:
    """How to load the file if its names differ only by a prefix, else ""."""
    prefixes = {name[: -len(end)] for end in missing[:1] for name in unknown if name.endswith(end)}
    for prefix in prefixes:
        if all(prefix + name in unknown for name in missing):
            return f"\n  fix      load_checkpoint(path, prefix={prefix!r})"
    return ""


def _check_array(path: Any, name: str, value: np.ndarray, old: np.ndarray) -> None:
    if value.shape != old.shape:
        raise FileError(f"{path}: {name} has shape {value.shape}, the source's has {old.shape}")
    floats = all(jnp.issubdtype(a.dtype, jnp.floating) for a in (value, old))
    if value.dtype != old.dtype and not (floats and np.can_cast(value.dtype, old.dtype)):
        raise FileError(
            f"{path}: {name} has dtype {value.dtype}, the source's has {old.dtype}; "
            "narrower floats are widened, nothing else is converted"
        )


def _listed(names: list[str], most: int = 4) -> str:
    return ", ".join(map(repr, names[:most])) + (f" and {len(names) - most} more" if len(names) > most else "")
