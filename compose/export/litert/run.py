"""Running a LiteRT model."""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from compose.export.labels import labels
from compose.export.savedmodel.module import SIGNATURE


class Interpreted:
    """A model ready to run: `run(*arrays)` are its outputs, for the inputs in order."""

    name = "LiteRT's interpreter"

    def __init__(self, model: bytes):
        self.interpreter: Any = Interpreter(model_content=model)
        self.run = self.interpreter.get_signature_runner(SIGNATURE)

    def __call__(self, *arrays: Any) -> list[np.ndarray]:
        made = self.run(**dict(zip(labels("x", len(arrays)), arrays)))
        return [made[name] for name in labels("y", len(made))]
