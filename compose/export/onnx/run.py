"""Running an ONNX model: onnxruntime, and onnx's reference for what it has not."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx


class Session:
    """A model ready to run: `session(*arrays)` are its outputs, for the inputs in order.

    onnxruntime's CPU has some operations in float32 alone; a model that it refuses runs in onnx's reference.
    """

    def __init__(self, model: onnx.ModelProto):
        self.model = model
        self.inputs = [i.name for i in model.graph.input]
        self.name = "onnxruntime"
        outside = (*model.graph.input, *model.graph.output)
        if any(v.type.tensor_type.elem_type == onnx.TensorProto.BFLOAT16 for v in outside):  # NumPy has none for it
            self._use_reference()
            return
        try:
            import onnxruntime
        except ImportError:
            self._use_reference()
            return
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        try:
            self._run: Any = onnxruntime.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as e:  # its own classes, which have no common base of their own
            if "NOT_IMPLEMENTED" not in str(e) and "NotImplemented" not in type(e).__name__:
                raise
            self._use_reference()

    def _use_reference(self) -> None:
        from onnx.reference import ReferenceEvaluator

        self.name, self._run = "onnx's reference", ReferenceEvaluator(self.model)

    def __call__(self, *arrays: Any) -> list[np.ndarray]:
        feeds = dict(zip(self.inputs, map(np.asarray, arrays), strict=True))
        return self._run.run(None, feeds)
