"""The model file: a network as text, its weights by path, its input shapes and its training history.

It is one safetensors file without any code. The network is read by `compose.parse`, and every weight must be
one that this network has for these inputs.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from compose.core.errors import ComposeError, FileError, ParseError
from compose.core.function import Function
from compose.core.layer import Layer, walk
from compose.core.parsing import parse
from compose.core.plan import plan
from compose.core.warning import warn
from compose.distributed.exchange import on_host
from compose.train.container import read, write
from compose.train.kept import TRAINING, session_values, training_parts, training_values
from compose.train.named import UNNAMED, Names
from compose.train.split_arrays import SPLIT, check_split, read_split

if TYPE_CHECKING:
    from compose.train.trained import Trained

OF_OTHERS = frozenset(
    [".h5", ".hdf5", ".keras", ".pt", ".pth", ".ckpt", ".pkl", ".npz", ".onnx", ".pb", ".tflite", ".stablehlo", ".gguf"]
)


def save(trained: Trained, path: str | os.PathLike, optimizer: bool = False) -> None:
    """Write a model file atomically. The same model gives the same bytes.

    With `optimizer`, the optimizer's state, the number of steps and parameters that are averaged are in it too. Of
    several processes that trained together, all call it, and process 0 writes.

    Warns if the path ends as files of another format do. Raises `FileError` if the network has no text (an
    unregistered function), the weights do not fit it, or the file cannot be written.
    """
    if os.path.splitext(path)[1].lower() in OF_OTHERS:  # no error, which would come after the training
        warn(f"{path} is a safetensors file, whatever its ending says; trained.export(path) writes other formats")
    training = None
    if optimizer:
        if trained.session is None:
            raise FileError(f"{path}: there is no optimizer's state to save; the network comes from a file without one")
        training = session_values(trained.session)
    parts = model_parts(trained, expression_of(trained.net), training)
    if trained.session is None or not trained.session.spread or jax.process_index() == 0:
        write(path, *parts)


def model_parts(
    trained: Trained, text: str, training: Any = None, copy: Callable[[Any], Any] = on_host
) -> tuple[dict[str, Any], dict[str, str]]:
    """The tensors, copied by `copy`, and the metadata of a model file; `training` is what else it keeps."""
    metadata = {
        "expression": text,
        "inputs": json.dumps(_inputs_text(trained.inputs)),
        "history": json.dumps(trained.history, default=float),
        "compose": version(),
        **({} if trained.names == UNNAMED else {"names": trained.names.to_json()}),
    }
    tensors = {k: copy(v) for k, v in _flat({"params": trained.params, "state": trained.state}).items()}
    _check(tensors, _wanted(trained.net, trained.inputs), "the model")
    if training is not None:
        arrays, metadata[TRAINING] = training_parts(training, copy)
        tensors |= arrays
    return tensors, metadata


def weights(path: str | os.PathLike, net: Layer, inputs: Any, tensors: dict[str, np.ndarray]) -> tuple[Any, Any]:
    """The parameters and the state in a file for a network. Raises `FileError` unless they are exactly its own."""
    wanted = _wanted(net, inputs)
    _check(tensors, wanted, path)
    arrays = _nested(wanted, {k: jnp.asarray(v) for k, v in tensors.items()})
    return arrays["params"], arrays["state"]


def read_model(
    path: str | os.PathLike,
) -> tuple[Layer, dict[str, Any], dict[str, Any], tuple[dict[str, float], ...], Any, Any, Names]:
    """The network, parameters, state, history and inputs in a model file, what it keeps of the training or None, and
    the names.

    Raises `FileError`; see `load`.
    """
    metadata, tensors = read(path)
    if SPLIT in metadata:
        arrays = read_split(path, metadata[SPLIT], {})
        check_split(path, metadata[SPLIT], arrays)
        tensors |= arrays
    for name in sorted(tensors):
        if jnp.issubdtype(tensors[name].dtype, jnp.floating):
            _check_width(name, tensors[name].dtype, path)  # before planning, where JAX 0.12 warns about float64
    try:
        net = parse(metadata["expression"])
        inputs = _inputs(json.loads(metadata["inputs"]))
        _wanted(net, inputs)
        history = history_of(metadata)
        names = Names.from_json(metadata["names"]) if "names" in metadata else UNNAMED
    except ParseError as e:
        raise FileError(f"{path}: its network cannot be read: {e}") from None
    except KeyError as e:
        raise FileError(f"{path}: an incomplete model file: it has no {e}") from None
    except Exception as e:  # the text is untrusted, and layers may raise anything for invalid options
        raise FileError(f"{path}: its network cannot be planned for its inputs: {e}") from None
    training = training_values(path, metadata, tensors)
    return net, *weights(path, net, inputs, tensors), history, inputs, training, names


def expression_of(net: Layer) -> str:
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


def history_of(metadata: dict[str, str]) -> tuple[dict[str, float], ...]:
    """The history in a file's metadata. Raises `ValueError`."""
    rows = json.loads(metadata["history"])
    if not all(isinstance(row, dict) and all(isinstance(v, (int, float)) for v in row.values()) for row in rows):
        raise ValueError("its history is not a list of numbers per epoch")
    return tuple(rows)


def version() -> str:
    """The version of this package."""
    try:
        return importlib.metadata.version("compose-jax")
    except importlib.metadata.PackageNotFoundError:
        return "source"
