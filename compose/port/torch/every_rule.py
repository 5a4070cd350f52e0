"""Every rule for torch, registered as its module is imported."""

from compose.port.torch import (  # noqa: F401
    rules_arrange,
    rules_attention,
    rules_choice,
    rules_conv,
    rules_dense,
    rules_dtype,
    rules_elementwise,
    rules_image,
    rules_index,
    rules_pair,
    rules_product,
    rules_recurrent,
    rules_reduce,
    rules_shape,
    rules_vision,
)
