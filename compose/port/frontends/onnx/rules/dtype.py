"""Conversions of dtype."""

from __future__ import annotations

from onnx import TensorProto

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.onnx.registry import rules
from compose.port.frontends.onnx.weight_moves import of_weights
from compose.port.lowering.values import Value

_WHOLE = (TensorProto.INT32, TensorProto.INT64, TensorProto.UINT8, TensorProto.INT8, TensorProto.INT16)
_FLOAT = (TensorProto.DOUBLE, TensorProto.FLOAT)


@rules("onnx.Identity", "onnx.Cast", "onnx.CastLike")
@of_weights
def _cast(low, node, x, *like):
    before, after = (low.graph.kinds.get(name) for name in (node.inputs[0], node.outputs[0]))
    if not isinstance(x, Value) or before == after or (before in _FLOAT and after in _FLOAT):
        return x
    widens = before in _WHOLE and after in (TensorProto.INT64, TensorProto.INT32)
    if widens:
        return x
    x = low.whole(x)
    if after == TensorProto.BOOL:
        return low.emit(word("ops.logical_not"), low.emit(word("ops.equal")(y=0), x))
    if after in _FLOAT or after in (TensorProto.INT64, TensorProto.INT32):
        return low.emit(word("ops.astype")(dtype=word("float32" if after in _FLOAT else "int32")), x)
    kind = TensorProto.DataType.Name(after)
    raise PortError(f"a cast to floats, whole numbers of 32 bits or more, or truth, got one to {kind}")
