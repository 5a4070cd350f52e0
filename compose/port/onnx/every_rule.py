"""All rules, by importing where they are."""

from compose.port.onnx import (
    rules_conv,
    rules_dense,
    rules_elementwise,
    rules_norm,
    rules_resize,
    rules_sequence,
    rules_shape,
)

__all__ = [
    "rules_conv",
    "rules_dense",
    "rules_elementwise",
    "rules_norm",
    "rules_resize",
    "rules_sequence",
    "rules_shape",
]
