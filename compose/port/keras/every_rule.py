"""The rules for the layers and operations of Keras, all of them."""

from compose.port.keras import (  # noqa: F401
    rules_attention,
    rules_core,
    rules_encode,
    rules_functions,
    rules_grow,
    rules_image,
    rules_masks,
    rules_noise,
    rules_norm,
    rules_operators,
    rules_ops,
    rules_parts,
    rules_sequence,
    rules_spectral,
)
