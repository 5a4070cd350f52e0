"""KServe's requests as ours, and our answers as KServe's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from compose.serve import v2
from compose.serve.body import checked
from compose.serve.kserve.package import kserve
from compose.serve.tensors import Slot, check_finite

NO_ID = "0"  # KServe cannot answer without an id


def read(payload: Any, inputs: Sequence[Slot], outputs: Sequence[Slot]) -> v2.Asked:
    """What a `kserve.InferRequest` asks for. Raises `ServeError`.

    KServe's own `as_numpy` would cut floats to integers and read numbers out of strings; these are the checks of every
    other request.
    """
    tensors, raws = [], []
    for tensor in payload.inputs:
        parameters, raw = _parameters(tensor.parameters), tensor._raw_data
        if raw is not None:
            parameters["binary_data_size"] = len(raw)
            raws.append(raw)
        tensors.append({
            "name": tensor.name, "shape": tensor.shape, "datatype": tensor.datatype, "parameters": parameters,
            "data": None if raw is not None else tensor.data,
        })  # fmt: skip
    request = {"id": payload.id or NO_ID, "parameters": _parameters(payload.parameters), "inputs": tensors}
    if payload.request_outputs:
        request["outputs"] = [
            {"name": o.name, "parameters": _parameters(o.parameters)} for o in payload.request_outputs
        ]
    return v2.asked(checked(v2.InferRequest, request), memoryview(b"".join(raws)), inputs, outputs)


def write(
    payload: Any, asked: v2.Asked, name: str, version: str, slots: Sequence[Slot], arrays: Sequence[np.ndarray]
) -> Any:
    """A `kserve.InferResponse`. Raises `ServeError` for an output that JSON has no numbers for.

    Over gRPC, outputs are bytes if the inputs were; over REST, those are bytes that are asked for as bytes.
    """
    package, listed, wanted = kserve(), [], []
    for place, binary in asked.outputs:
        slot, array = slots[place], np.ascontiguousarray(arrays[place])
        output = package.InferOutput(slot.name, list(array.shape), slot.datatype, array)
        if payload.from_grpc and payload.use_binary_outputs:
            output.set_data_from_numpy(array)
        elif payload.from_grpc:
            output.data = array.ravel().tolist()
        else:
            wanted.append(kserve("protocol.infer_type").RequestedOutput(slot.name, {"binary_data": binary}))
            if not binary:
                check_finite(slot, array)
        listed.append(output)
    return package.InferResponse(
        asked.id, name, listed, model_version=version, use_binary_outputs=payload.use_binary_outputs,
        requested_outputs=wanted,
    )  # fmt: skip


def _parameters(given: Mapping[str, Any] | None) -> dict[str, Any]:
    return kserve("protocol.infer_type").to_http_parameters(given) if given else {}
