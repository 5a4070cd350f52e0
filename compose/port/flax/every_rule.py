"""The rules for the modules of Flax and the operations of JAX, all of them."""

from compose.port.flax import (  # noqa: F401
    rules_attention,
    rules_elementwise,
    rules_masks,
    rules_modules,
    rules_norm,
    rules_product,
    rules_recurrent,
    rules_shape,
    rules_window,
    rules_wrapped,
)
