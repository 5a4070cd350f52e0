"""From a network and its weights to the text of a file and a `state_dict`."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import torch

from compose.core.errors import LayerError
from compose.core.layer import Layer
from compose.core.plan import plan, specs
from compose.core.run import as_arrays, check_params, pack
from compose.export.errors import ExportError
from compose.export.torch import registry
from compose.export.torch.class_text import class_text, layout, wrapped
from compose.export.torch.code import Code
from compose.export.torch.value import Value
from compose.export.torch.writer import Writer


def source_of(net: Layer, params: Any, state: Any, inputs: tuple) -> tuple[str, dict[str, Any]]:
    """The text, and the weights by name: functions of `params` and `state`, which may be traced."""
    registry.load()
    given = as_arrays(pack(inputs))
    check_params(net, plan(net, specs(given)), params, state)
    writer = Writer()
    leaves, tree = jax.tree.flatten(given)
    labels = ["x"] if len(leaves) == 1 else [f"x{i}" for i in range(len(leaves))]
    tokens = [writer.token() for _ in leaves]
    writer.code = Code(tokens, labels)
    values = [Value(t, tuple(leaf.shape), np.dtype(leaf.dtype)) for t, leaf in zip(tokens, leaves)]
    try:
        y = writer.layer(net, params, state, jax.tree.unflatten(tree, values))
    except LayerError as e:
        if isinstance(e, ExportError):
            e.expected = f"a layer that PyTorch source can say: {e.expected}"
        raise e
    y = writer.named(jax.tree.map(writer.last, y))
    return file_text(writer, net, labels, leaves, y), writer.code.weights


def file_text(writer: Writer, net: Layer, labels: list[str], leaves: list, y: Any) -> str:
    """The whole file."""
    about = "\n".join(_about(label, leaf) for label, leaf in zip(labels, leaves))
    parts = writer.code.sequence(y.base) if isinstance(y, Value) and not writer.code.notes else None
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
    expression = "\n".join(f"    {line}" for line in str(net).replace("\\", "\\\\").replace('"""', "'''").splitlines())
    double = ".double()" if any(np.dtype(a.dtype) == np.float64 for a in writer.code.weights.values()) else ""
    head = f'''"""A network in PyTorch.

    from safetensors.torch import load_file

    model = Network(){double}
    model.load_state_dict(load_file("network_weights.safetensors"))
    model.eval()

{about}

In compose:

{expression}
"""'''
    return f"{head}\n\n{chr(10).join(imports)}\n\n\n{code}\n"


def _about(label: str, leaf: Any) -> str:
    sizes = ", ".join(["batch", *map(str, leaf.shape[1:])]) if leaf.ndim else ""
    return f"Input {label}: ({sizes}), {np.dtype(leaf.dtype).name}."


def tensors(weights: dict[str, Any]) -> dict[str, torch.Tensor]:
    """As tensors; bfloat16, which NumPy has not, becomes float32."""
    held = {name: np.array(array, order="C") for name, array in weights.items()}
    return {name: torch.tensor(a.astype(np.float32) if a.dtype.kind == "V" else a) for name, a in held.items()}
