"""The messages of the Open Inference Protocol, version 2, with the binary tensor extension."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from compose.serve.body import read_model, write_json
from compose.serve.errors import ServeError
from compose.serve.tensors import Slot, check_finite, dtype_of, fitted, from_bytes, from_json, shaped

EXTENSIONS = ("binary_tensor_data", "model_repository")
HEADER = "Inference-Header-Content-Length"

Parameters = dict[str, Any]
Length = Annotated[int, Field(ge=0, le=1 << 40)]
_NOT_HERE = ("shared_memory_region", "classification")  # parameters that would change what is read or answered


class Tensor(BaseModel):
    """An input: its numbers in `data`, or as `binary_data_size` bytes after the JSON."""

    model_config = ConfigDict(strict=True)
    name: str
    shape: Annotated[list[Length], Field(max_length=32)]
    datatype: str
    parameters: Parameters = {}
    data: Any = None


class Output(BaseModel):
    """An output that is asked for; `binary_data` says how."""

    model_config = ConfigDict(strict=True)
    name: str
    parameters: Parameters = {}


class InferRequest(BaseModel):
    """A request for a prediction."""

    model_config = ConfigDict(strict=True)
    id: str | None = None
    parameters: Parameters = {}
    inputs: list[Tensor]
    outputs: list[Output] | None = None


@dataclass(frozen=True)
class Asked:
    """A request that was read: the arrays in the model's order, and the places of the outputs, each binary or not."""

    arrays: list[np.ndarray]
    outputs: list[tuple[int, bool]]
    id: str | None = None


def read(body: bytes, header: str | None, inputs: Sequence[Slot], outputs: Sequence[Slot]) -> Asked:
    """Read the body of a request. Raises `ServeError`.

    Args:
        header: the value of `Inference-Header-Content-Length`, the size of the JSON before binary tensors, or None.
        inputs, outputs: those of the model.
    """
    size = _size(header, len(body))
    request = read_model(InferRequest, memoryview(body)[:size])
    return asked(request, memoryview(body)[size:], inputs, outputs)


def asked(request: InferRequest, rest: memoryview, inputs: Sequence[Slot], outputs: Sequence[Slot]) -> Asked:
    """What a request asks for, with the bytes of its binary tensors. Raises `ServeError`."""
    found: dict[str, np.ndarray] = {}
    known = {slot.name: slot for slot in inputs}
    for tensor in request.inputs:
        if tensor.name not in known or tensor.name in found:
            raise ServeError(400, f"inputs: expected each of {', '.join(known)} once, got {tensor.name[:80]!r}")
        array, rest = _array(tensor, rest)
        found[tensor.name] = fitted(known[tensor.name], array)
    if missing := [name for name in known if name not in found]:
        raise ServeError(400, f"inputs: no {', '.join(missing)}")
    if len(rest):
        raise ServeError(400, f"{len(rest)} bytes after the last binary tensor")
    return Asked([found[name] for name in known], _outputs(request, outputs), request.id)


def write(
    asked: Asked, name: str, version: str, slots: Sequence[Slot], arrays: Sequence[np.ndarray]
) -> tuple[bytes, int | None]:
    """The body of an answer, and the size of its JSON if binary tensors follow it. Raises `ServeError`."""
    listed, tail = [], []
    for place, binary in asked.outputs:
        slot, array = slots[place], arrays[place]
        entry: dict[str, Any] = {"name": slot.name, "datatype": slot.datatype, "shape": list(array.shape)}
        if binary:
            tail.append(np.ascontiguousarray(array, slot.dtype).tobytes())
            entry["parameters"] = {"binary_data_size": len(tail[-1])}
        else:
            check_finite(slot, array)
            entry["data"] = array.ravel().tolist()
        listed.append(entry)
    head: dict[str, Any] = {"model_name": name, "model_version": version, "outputs": listed}
    text = write_json(head if asked.id is None else {**head, "id": asked.id})
    return (b"".join([text, *tail]), len(text)) if tail else (text, None)


def _size(header: str | None, whole: int) -> int:
    if header is None:
        return whole
    if not (header.isascii() and header.isdigit() and len(header) < 16 and int(header) <= whole):
        raise ServeError(400, f"{HEADER}: expected a number of bytes, at most the {whole} of the body")
    return int(header)


def _array(tensor: Tensor, rest: memoryview) -> tuple[np.ndarray, memoryview]:
    """The array of a tensor, and the bytes after its own."""
    name, dtype = tensor.name, dtype_of(tensor.name, tensor.datatype)
    _check(name, tensor.parameters)
    size = tensor.parameters.get("binary_data_size")
    if size is None:
        return shaped(name, from_json(name, tensor.data, dtype), tensor.shape), rest
    if tensor.data is not None:
        raise ServeError(400, f"{name}: data and binary_data_size, which are one or the other")
    if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= len(rest):
        raise ServeError(
            400, f"{name}: binary_data_size: expected a number of bytes, at most the {len(rest)} there are"
        )
    return from_bytes(name, rest[:size], tensor.shape, dtype), rest[size:]


def _outputs(request: InferRequest, slots: Sequence[Slot]) -> list[tuple[int, bool]]:
    _check("parameters", request.parameters)
    usual = _flag(request.parameters, "binary_data_output", False)
    if not request.outputs:
        return [(place, usual) for place in range(len(slots))]
    places = {slot.name: i for i, slot in enumerate(slots)}
    asked: dict[str, bool] = {}
    for output in request.outputs:
        if output.name not in places or output.name in asked:
            raise ServeError(400, f"outputs: expected some of {', '.join(places)}, each once, got {output.name[:80]!r}")
        _check(output.name, output.parameters)
        asked[output.name] = _flag(output.parameters, "binary_data", usual)
    return [(places[name], binary) for name, binary in asked.items()]


def _check(name: str, parameters: Parameters) -> None:
    for word in _NOT_HERE:
        if parameters.get(word):
            raise ServeError(400, f"{name}: {word} is not supported")


def _flag(parameters: Parameters, word: str, usual: bool) -> bool:
    value = parameters.get(word, usual)
    if not isinstance(value, bool):
        raise ServeError(400, f"{word}: expected true or false")
    return value
