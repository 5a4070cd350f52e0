"""From a network and its weights to the text of a file and a `state_dict`."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from compose.core.layer import Layer
from compose.export.source.text import described, expression, has_doubles, layout
from compose.export.source.value import Value
from compose.export.source.walked import walked
from compose.export.torch import registry
from compose.export.torch.class_text import class_text, sequence, wrapped
from compose.export.torch.writer import Writer


def source_of(net: Layer, params: Any, state: Any, inputs: tuple) -> tuple[str, dict[str, Any]]:
    """The text, and the weights by name: functions of `params` and `state`, which may be traced."""
    registry.load()
    writer = Writer()
    labels = lambda n: ["x"] if n == 1 else [f"x{i}" for i in range(n)]
    leaves, y = walked(writer, net, params, state, inputs, labels)
    return file_text(writer, net, leaves, y), writer.code.weights


def file_text(writer: Writer, net: Layer, leaves: list, y: Any) -> str:
    """The whole file."""
    about = "\n".join(map(described, writer.code.labels, leaves))
    parts = sequence(writer.code, y.base) if isinstance(y, Value) and not writer.code.notes else None
    if parts is not None:
        made = wrapped(f"nn.Sequential(OrderedDict({', '.join(f'{k}={v}' for k, v in parts.items())}))", 8)
        inside = made.replace("nn.Sequential(", "super().__init__(", 1)
        body = f"    def __init__(self):\n        {inside}"
        network = f"class Network(nn.Sequential):\n{body}"
    else:
        network = f"class Network(nn.Module):\n{class_text(writer.code, layout(y))}"
    texts = [*writer.parts.values(), *(f"class {name}(nn.Module):\n{body}" for name, body in writer.classes.items())]
    code = "\n\n\n".join([*texts, network])
    imports = [
        line
        for line, word in (
            ("import math", "math."),
            ("from collections import OrderedDict\n", "OrderedDict("),
            ("import torch", "torch."),
            ("import torch.nn.functional as F", "F."),
            ("from torch import nn", "nn."),
        )
        if word in code
    ]
    double = ".double()" if has_doubles(writer.code.weights) else ""
    head = f'''"""A network in PyTorch.

    from safetensors.torch import load_file

    model = Network(){double}
    model.load_state_dict(load_file("network_weights.safetensors"))
    model.eval()

{about}

In compose:

{expression(net)}
"""'''
    return f"{head}\n\n{chr(10).join(imports)}\n\n\n{code}\n"


def tensors(weights: dict[str, Any]) -> dict[str, torch.Tensor]:
    """As tensors; bfloat16, which NumPy has not, becomes float32."""
    held = {name: np.array(array, order="C") for name, array in weights.items()}
    return {name: torch.tensor(a.astype(np.float32) if a.dtype.kind == "V" else a) for name, a in held.items()}
