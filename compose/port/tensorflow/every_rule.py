"""The rules for TensorFlow's operations, all of them."""

from compose.port.tensorflow import (  # noqa: F401
    rules_choice,
    rules_dense,
    rules_elementwise,
    rules_gather,
    rules_image,
    rules_reduce,
    rules_resize,
    rules_shape,
)
