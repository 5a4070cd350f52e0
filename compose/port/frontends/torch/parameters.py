"""The parameters, buffers and constants of an exported program."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import torch

from compose.port.frontends.torch.constants import wide
from compose.port.frontends.torch.leaf_modules import Whole
from compose.port.ir.weights import View
from compose.port.lowering.values import Weight


@dataclass
class Parameters:
    """What the placeholders of a program hold, apart from its inputs.

    Attributes:
        nodes: the weight or constant that each placeholder is.
        arrays, buffers: parameters and buffers by name; tied parameters have the name of the first.
        untrained: the names of those with `requires_grad=False`.
        unread: parameters that only training uses, as those of an auxiliary head.
    """

    nodes: dict[torch.fx.Node, Weight | np.ndarray] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    buffers: dict[str, np.ndarray] = field(default_factory=dict)
    untrained: set[str] = field(default_factory=set)
    unread: list[View] = field(default_factory=list)


def read_parameters(program: torch.export.ExportedProgram, live: set[torch.fx.Node], leaves: set[str]) -> Parameters:
    """The parameters of a program; `leaves` are the weights of leaf modules, which no node reads."""
    signature = program.graph_signature
    parameters, buffers = signature.inputs_to_parameters, signature.inputs_to_buffers
    constants = signature.inputs_to_lifted_tensor_constants
    tensors = {**dict(program.named_parameters()), **dict(program.named_buffers())}
    tensors.update({k: v for k, v in program.constants.items() if isinstance(v, torch.Tensor)})
    result = Parameters()
    first_names: dict[int, str] = {}
    idle: dict[str, bool] = {}
    for node in (n for n in program.graph.nodes if n.op == "placeholder"):
        if node.name in constants:
            result.nodes[node] = wide(_array(tensors[constants[node.name]]))
        if node.name not in parameters and node.name not in buffers:
            continue
        name = parameters.get(node.name) or buffers[node.name]
        tensor = tensors[name]
        first = first_names.setdefault(tensor.data_ptr() or id(tensor), name)
        array = _array(tensor)
        if node.name in parameters:
            result.arrays.setdefault(first, array)
            idle[first] = idle.get(first, True) and node not in live
        else:
            result.buffers[name] = array
        if not tensor.requires_grad:
            result.untrained.add(first)
        result.nodes[node] = Weight.of(View(first), array, node.name in parameters)
    result.unread = [View(name) for name, unused in idle.items() if unused and name not in leaves]
    return result


def leaf_weights(calls: Iterable[Whole]) -> set[str]:
    """The names of the weights of leaf modules, which no node reads."""
    pairs = ((call.path, name) for call in calls for name in call.module.state_dict())
    return {f"{path}.{name}" if path else name for path, name in pairs}


def _array(tensor: torch.Tensor) -> np.ndarray:
    """A copy, since the model may be trained later."""
    return tensor.detach().cpu().numpy().copy()
