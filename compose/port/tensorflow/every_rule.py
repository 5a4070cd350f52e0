"""The rules for TensorFlow's operations, all of them."""

from compose.port.tensorflow import rules_dense, rules_elementwise, rules_image, rules_reduce, rules_shape  # noqa: F401
