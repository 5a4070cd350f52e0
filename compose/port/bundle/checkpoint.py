"""Weights back to the source's own form, and a checkpoint with the source's names into the network."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from compose.core.errors import FileError, PortError
from compose.port.ir.graph import Saved
from compose.port.proof.reference import Arrays
from compose.train.container import unpack

if TYPE_CHECKING:
    from compose.port.ported import Ported

_PICKLES = (b"PK\x03\x04", b"\x80")  # torch.save's archive, which Keras's is too, and a bare pickle
_HDF = b"\x89HDF"
_CONVERT = {
    "torch": "safetensors.torch.save_model(model, path)",
    "flax": "safetensors.flax.save_file(flax.traverse_util.flatten_dict(variables, sep='/'), path)",
    "keras": "safetensors.numpy.save_file({v.path: keras.ops.convert_to_numpy(v) for v in model.weights}, path)",
}


def state_dict(port: Ported, params: Any, state: Any) -> dict[str, Any]:
    """See `Ported.to_torch_state_dict`."""
    saved = _saved(port, "torch")
    import torch

    arrays = saved.rest | port.to_source(params, state)
    made = {of: torch.from_numpy(np.array(arrays[of])) for of in saved.names.values()}
    return {name: made[of] for name, of in saved.names.items()}


def keras_weights(port: Ported, params: Any, state: Any) -> list[np.ndarray]:
    """See `Ported.to_keras_weights`."""
    saved = _saved(port, "keras")
    arrays = saved.rest | port.to_source(params, state)
    return [np.array(arrays[of]) for of in saved.names.values()]


def flax_variables(port: Ported, params: Any, state: Any) -> dict[str, Any]:
    """See `Ported.to_flax_variables`."""
    saved = _saved(port, "flax")
    arrays = saved.rest | port.to_source(params, state)
    made: dict[Any, Any] = {}
    for name, of in saved.names.items():
        *parents, leaf = (int(key) if key.isdigit() else key for key in name.split("/"))
        tree = made
        for key in parents:
            tree = tree.setdefault(key, {})
        tree[leaf] = jnp.asarray(arrays[of])
    return made


def tf_variables(port: Ported, params: Any, state: Any) -> list[tuple[Any, np.ndarray]]:
    """See `Ported.to_tf_variables`."""
    variables = getattr(port.original, "tf_variables", None)
    if variables is None:
        raise PortError(f"a port of TensorFlow's, got one of {port.graph.name}")
    arrays = port.to_source(params, state)
    return [(variables[name].itself, array) for name, array in arrays.items()]


def _saved(port: Ported, framework: str) -> Saved:
    saved = port.graph.saved
    if saved is None or saved.framework != framework:
        raise PortError(f"a port of a {framework} model, got one of {saved.framework if saved else port.graph.name}")
    return saved


def load_checkpoint(port: Ported, path: str | os.PathLike, prefix: str = "") -> tuple[Any, Any]:
    """See `Ported.load_checkpoint`."""
    given = {name.removeprefix(prefix): array for name, array in sorted(_read(port, path).items())}
    saved, arrays = port.graph.saved, dict(port.graph.arrays)
    names = saved.names if saved else {name: name for name in arrays}
    _check_names(port, path, given, names)
    found: dict[str, str] = {}
    for name, value in given.items():
        of = names[name]
        old = arrays[of] if of in arrays else saved.rest[name] if saved else value
        _check_array(path, name, value, old)
        if of in found and not np.array_equal(value, given[found[of]]):
            raise FileError(f"{path}: {name} and {found[of]} differ, which are one weight in the source: it ties them")
        if saved and name in saved.fixed and not np.array_equal(value, old):
            raise FileError(
                f"{path}: {name} is not a weight but part of the network, and differs from that of the model that was "
                "ported: load the checkpoint into the model and port it again"
            )
        found[of] = name
        arrays[of] = np.asarray(value, old.dtype)
    return port.weights.load(arrays, jnp.asarray)


def _read(port: Ported, path: str | os.PathLike) -> Arrays:
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


def _check_names(port: Ported, path: Any, given: Arrays, names: dict[str, str]) -> None:
    """Every weight that the network takes, by one of its names, and no tensor that the source has not."""
    have = {names[name] for name in given if name in names}
    missing = [of for of in dict.fromkeys(r.take.source for r in port.weights) if of and of not in have]
    surplus = [name for name in given if name not in names]
    said = [
        f"{word} {_some(found)}"
        for word, found in (("no tensor", missing), ("no place for the tensor", surplus))
        if found
    ]
    if said:
        raise FileError(f"{path}: {'; '.join(said)}{_prefixed(missing, surplus)}")


def _prefixed(missing: list[str], surplus: list[str]) -> str:
    """The hint where the names differ by what stands in front alone."""
    fronts = {name[: -len(end)] for end in missing[:1] for name in surplus if name.endswith(end)}
    for front in fronts:
        if all(front + name in surplus for name in missing):
            return f"\n  fix      load_checkpoint(path, prefix={front!r})"
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


def _some(names: list[str], most: int = 4) -> str:
    return ", ".join(map(repr, names[:most])) + (f" and {len(names) - most} more" if len(names) > most else "")
