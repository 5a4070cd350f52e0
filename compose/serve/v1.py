"""The messages of TensorFlow Serving's `:predict`: `instances`, one by one, or `inputs`, whole batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from compose.serve.body import read_model, write_json
from compose.serve.errors import ServeError
from compose.serve.tensors import Slot, check_finite, fitted, from_json

SIGNATURE = "serving_default"


class PredictRequest(BaseModel):
    """A request for a prediction, with either `instances` or `inputs`."""

    model_config = ConfigDict(strict=True)
    signature_name: str = SIGNATURE
    instances: list[Any] | None = None
    inputs: Any = None


@dataclass(frozen=True)
class Asked:
    """A request that was read: the arrays in the model's order, and whether the answer is one value an example."""

    arrays: list[np.ndarray]
    by_example: bool


def read(body: bytes, inputs: Sequence[Slot]) -> Asked:
    """Read the body of a request for a model with these inputs. Raises `ServeError`."""
    return asked(read_model(PredictRequest, body), inputs)


def asked(request: PredictRequest, inputs: Sequence[Slot]) -> Asked:
    """What a request asks for. Raises `ServeError`."""
    if request.signature_name != SIGNATURE:
        raise ServeError(400, f"signature_name: the only one is {SIGNATURE}")
    if (request.instances is None) == (request.inputs is None):
        raise ServeError(400, "expected one of instances and inputs")
    names = [slot.name for slot in inputs]
    if request.instances is None:
        values = _named(request.inputs, names, "inputs")
    else:
        if not request.instances:
            raise ServeError(400, "instances: no examples")
        rows = [_named(row, names, f"instances.{i}") for i, row in enumerate(request.instances)]
        values = {name: [row[name] for row in rows] for name in names}
    return Asked([_array(slot, values[slot.name]) for slot in inputs], request.instances is not None)


def write(asked: Asked, slots: Sequence[Slot], arrays: Sequence[np.ndarray]) -> bytes:
    """The body of an answer. Raises `ServeError` for an output that JSON has no numbers for."""
    return write_json(answered(asked, slots, arrays))


def answered(asked: Asked, slots: Sequence[Slot], arrays: Sequence[np.ndarray]) -> dict[str, Any]:
    """The answer. Raises `ServeError` for an output that JSON has no numbers for."""
    for slot, array in zip(slots, arrays):
        check_finite(slot, array)
    count = len(asked.arrays[0])
    if asked.by_example and any(array.ndim == 0 or len(array) != count for array in arrays):
        raise ServeError(400, "the outputs are not one for each example: ask with inputs instead of instances")
    values = {slot.name: array.tolist() for slot, array in zip(slots, arrays)}
    if not asked.by_example:
        return {"outputs": values if len(slots) > 1 else values[slots[0].name]}
    if len(slots) == 1:
        return {"predictions": values[slots[0].name]}
    return {"predictions": [{name: rows[i] for name, rows in values.items()} for i in range(count)]}


def metadata(name: str, version: str, inputs: Sequence[Slot], outputs: Sequence[Slot]) -> dict[str, Any]:
    """The answer to a question for a model's metadata."""
    signature = {"inputs": _signature(inputs), "outputs": _signature(outputs), "method_name": "predict"}
    return {
        "model_spec": {"name": name, "signature_name": "", "version": version},
        "metadata": {"signature_def": {"signature_def": {SIGNATURE: signature}}},
    }


def _named(value: Any, names: list[str], where: str) -> dict[str, Any]:
    """The values by the name of an input; a model with one input takes its value without a name too."""
    if isinstance(value, dict):
        if set(value) != set(names):
            raise ServeError(400, f"{where}: expected {', '.join(names)}")
        return value
    if len(names) > 1:
        raise ServeError(400, f"{where}: expected an object with {', '.join(names)}")
    return {names[0]: value}


def _array(slot: Slot, value: Any) -> np.ndarray:
    return fitted(slot, from_json(slot.name, value, slot.dtype))


def _signature(slots: Sequence[Slot]) -> dict[str, Any]:
    """Dtypes and shapes in TensorFlow's words."""
    words = {"FP16": "DT_HALF", "FP32": "DT_FLOAT", "FP64": "DT_DOUBLE", "BF16": "DT_BFLOAT16"}
    return {
        slot.name: {
            "dtype": words.get(slot.datatype, f"DT_{slot.datatype}"),
            "tensor_shape": {"dim": [{"size": str(n), "name": ""} for n in (-1, *slot.shape)], "unknown_rank": False},
            "name": slot.name,
        }
        for slot in slots
    }
