"""onnx's reference evaluator in float64: its operations where they are exact, ours where they are not."""

from __future__ import annotations

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpFunction

from compose.port.frontends.onnx.exact import elementwise, norm, recurrent, windows
from compose.port.frontends.onnx.literals import meant

_OPERATIONS = [*elementwise.OPERATIONS, *norm.OPERATIONS, *recurrent.OPERATIONS, *windows.OPERATIONS]


def evaluator(model: onnx.ModelProto) -> ReferenceEvaluator:
    """An evaluator of a model in float64, with attributes as they were meant."""
    return _as_meant(ReferenceEvaluator(model, new_ops=_OPERATIONS))


def _as_meant(run: ReferenceEvaluator) -> ReferenceEvaluator:
    """With attributes as they were meant, in the operations that onnx defines by others too."""
    for node in run.rt_nodes_:
        for name in ("cst", *node.attributes_names_):
            value = getattr(node, name, None)
            if isinstance(value, (float, np.floating)):
                setattr(node, name, meant(float(value)))
            elif isinstance(value, np.ndarray) and value.dtype == np.float32 and value.size == 1:
                setattr(node, name, np.full(value.shape, meant(value.item())))
        if isinstance(node, OpFunction) and hasattr(node.impl_, "rt_nodes_"):
            _as_meant(node.impl_)
    return run
