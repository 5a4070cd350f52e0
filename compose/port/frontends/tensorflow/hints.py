"""What to do about operations that no layer can express."""

from __future__ import annotations

from compose.port.frontends.tensorflow.control_flow import HINTS
from compose.port.frontends.tensorflow.passes.dropout import RANDOM


def hint(operation: str) -> str:
    """What to do about an operation; "" if nothing is known."""
    if operation in HINTS:
        return f"control flow that depends on data is no graph of layers: {HINTS[operation]}"
    if operation == "XlaCallModule":
        return "code of JAX inside the graph, as Keras on JAX exports its models: port the model itself, by from_keras"
    if operation in RANDOM:
        return "random numbers: port the function for inference, and put the noise in as a layer"
    if operation in ("PyFunc", "EagerPyFunc", "PyFuncStateless"):
        return "Python code inside the graph: write it in TensorFlow"
    return ""
