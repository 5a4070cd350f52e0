"""The model file: a network as text, its weights by path, its input shapes and its training history.

It is one safetensors file without any code. The network is read by `compose.parse`, and every weight must be
one that this network has for these inputs.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from compose.core.errors import ComposeError, FileError, ParseError
from compose.core.function import Function
from compose.core.layer import Layer, walk
from compose.core.parsing import parse
from compose.core.plan import plan
from compose.train.container import read, write

if TYPE_CHECKING:
    from compose.train.trained import Trained


def save(trained: Trained, path: str | os.PathLike) -> None:
    """Write a model file atomically. The same model gives the same bytes.

    Raises `FileError` if the network has no text (an unregistered function), the weights do not fit it, or
    the file cannot be written.
    """
    metadata = {
        "expression": _expression(trained.net),
        "inputs": json.dumps(_inputs_text(trained.inputs)),
        "history": json.dumps(trained.history, default=float),
        "compose": _version(),
    }
    tensors = {k: np.asarray(v) for k, v in _flat({"params": trained.params, "state": trained.state}).items()}
    _check(tensors, _wanted(trained.net, trained.inputs), "the model")
    write(path, tensors, metadata)


def read_model(
    path: str | os.PathLike,
) -> tuple[Layer, dict[str, Any], dict[str, Any], tuple[dict[str, float], ...], Any]:
    """The network, parameters, state, history and inputs in a model file. Raises `FileError`; see `load`."""
    metadata, tensors = read(path)
    for name in sorted(tensors):
        if jnp.issubdtype(tensors[name].dtype, jnp.floating):
            _check_width(name, tensors[name].dtype, path)  # before planning, where JAX 0.12 warns about float64
    try:
        net = parse(metadata["expression"])
        inputs = _inputs(json.loads(metadata["inputs"]))
        wanted = _wanted(net, inputs)
        history = _history(json.loads(metadata["history"]))
    except ParseError as e:
        raise FileError(f"{path}: its network cannot be read: {e}") from None
    except KeyError as e:
        raise FileError(f"{path}: an incomplete model file: it has no {e}") from None
    except Exception as e:  # the text is untrusted, and layers may raise anything for invalid options
        raise FileError(f"{path}: its network cannot be planned for its inputs: {e}") from None
    _check(tensors, wanted, path)
    arrays = _nested(wanted, {k: jnp.asarray(v) for k, v in tensors.items()})
    return net, arrays["params"], arrays["state"], history, inputs


def _expression(net: Layer) -> str:
    """The network's text, after checking that it parses to an equal network."""
    for path, layer in walk(net):
        if isinstance(layer, Function) and not layer.registered:
            raise FileError(
                f"{'/'.join(path) or 'the network'}: the function {layer.word_name} has no name in the language, so it "
                f"cannot be saved (built at {layer.built_at}); define it as a named function decorated with "
                "@compose.register, and import that module before loading"
            )
        if layer.wordless:
            raise FileError(
                f"{'/'.join(path) or 'the network'}: {layer} has no name in the language, so it cannot be saved "
                f"(built at {layer.built_at}); {layer.wordless}"
            )
    text = str(net)
    try:
        same = parse(text) == net
    except ComposeError as e:
        raise FileError(f"the network's text does not parse: {e}") from None
    if not same:
        raise FileError(f"the network's text parses to a different network, so it cannot be saved: {text}")
    return text


def _wanted(net: Layer, inputs) -> dict[str, Any]:
    planned = plan(net, inputs)
    return {"params": planned.param_specs(), "state": planned.state_specs()}


def _flat(tree: dict[str, Any], path: tuple[str, ...] = ()) -> dict[str, Any]:
    """Flatten nested dicts to one dict whose keys are paths."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat.update(_flat(value, (*path, key)) if isinstance(value, dict) else {"/".join((*path, key)): value})
    return flat


def _nested(tree: dict[str, Any], flat: dict[str, Any], path: tuple[str, ...] = ()) -> dict[str, Any]:
    """The entries of `flat` nested as in `tree`."""
    return {
        key: _nested(value, flat, (*path, key)) if isinstance(value, dict) else flat["/".join((*path, key))]
        for key, value in tree.items()
    }


def _check(tensors: dict[str, np.ndarray], wanted: dict[str, Any], where) -> None:
    """Raise unless `tensors` are exactly the network's weights, with their shapes.

    Floats may be of any width, since weights can be cast.
    """
    expected = _flat(wanted)
    for word, names in (("no", expected.keys() - tensors), ("an unknown", tensors.keys() - expected)):
        if names:
            raise FileError(f"{where}: {word} tensor {_some(sorted(names))}; the weights are not this network's")
    for name, want in expected.items():
        shape, dtype = tensors[name].shape, tensors[name].dtype
        if shape != want.shape:
            raise FileError(f"{where}: {name} has shape {shape}, this network's has {want.shape}")
        both_float = jnp.issubdtype(dtype, jnp.floating) and jnp.issubdtype(want.dtype, jnp.floating)
        if dtype != want.dtype and not both_float:
            raise FileError(f"{where}: {name} has dtype {dtype}, this network's has {want.dtype}")
        _check_width(name, dtype, where)


def _check_width(name: str, dtype: np.dtype, where: str | os.PathLike) -> None:
    if jax.dtypes.canonicalize_dtype(dtype) != dtype:
        raise FileError(
            f"{where}: {name} has dtype {dtype}, which would be truncated to 32 bits; enable 64 bits with "
            "jax.config.update('jax_enable_x64', True)"
        )


def _some(names: list[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _inputs_text(inputs) -> Any:
    """`float32[1,784]`, or a list of these for several inputs."""
    if isinstance(inputs, (tuple, list)):
        return [_inputs_text(i) for i in inputs]
    return f"{jnp.dtype(inputs.dtype).name}[{','.join(map(str, inputs.shape))}]"


def _inputs(text: Any) -> Any:
    if isinstance(text, list):
        return tuple(_inputs(t) for t in text)
    found = re.fullmatch(r"(bool|(?:u?int|b?float|complex)\d\w{0,20})\[((?:\d{1,12},)*\d{1,12})?\]", str(text))
    if found is None:
        raise ValueError(f"{str(text)[:80]!r} is not the shape of an input")
    return jax.ShapeDtypeStruct(tuple(int(n) for n in (found[2] or "").split(",") if n), jnp.dtype(found[1]))


def _history(rows: Any) -> tuple[dict[str, float], ...]:
    if not all(isinstance(row, dict) and all(isinstance(v, (int, float)) for v in row.values()) for row in rows):
        raise ValueError("its history is not a list of numbers per epoch")
    return tuple(rows)


def _version() -> str:
    try:
        return importlib.metadata.version("compose-jax")
    except importlib.metadata.PackageNotFoundError:
        return "source"
