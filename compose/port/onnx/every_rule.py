"""Every rule for ONNX, registered as its module is imported."""

from compose.port.onnx import (  # noqa: F401
    rules_compare,
    rules_conv,
    rules_dense,
    rules_elementwise,
    rules_norm,
    rules_reduce,
    rules_resize,
    rules_sequence,
    rules_shape,
)
