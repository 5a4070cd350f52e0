"""Weights of a port as values of TensorFlow variables."""

from __future__ import annotations

from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.port.result import Result


def to_tf_variables(port: Result, params: Any, state: Any) -> list[tuple[Any, np.ndarray]]:
    """See `Ported.to_tf_variables`."""
    variables = getattr(port.reference, "tf_variables", None)
    if variables is None:
        raise PortError(f"a port of TensorFlow's, got one of {port.graph.name}")
    return [(variables[name].itself, array) for name, array in port.to_source(params, state).items()]
