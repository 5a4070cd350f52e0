"""Gradients and training steps of a Keras model on PyTorch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import torch

from compose.keras.modes import mode, predicted

outputs = predicted


def gradients(model: Any, inputs: list[np.ndarray], packed: Any, cotangents: Any) -> tuple[list, list, list]:
    """Outputs, and the gradients of inputs and trainable variables under the cotangents."""
    xs = [torch.tensor(x, requires_grad=np.issubdtype(x.dtype, np.floating)) for x in inputs]
    floats = [x for x in xs if x.requires_grad]
    outputs = keras.tree.flatten(model(*packed(xs), **mode(model, False)))
    made = [o.detach().numpy() for o in outputs]
    given = [torch.tensor(c) for c in cotangents(made)]
    wanted = [*floats, *(v.value for v in model.trainable_variables)]
    grads = torch.autograd.grad(outputs, wanted, given, allow_unused=True, materialize_grads=True)
    grads = [g.numpy() for g in grads]
    return made, grads[: len(floats)], grads[len(floats) :]


def train(model: Any, inputs: tuple, targets: Any, optimizer: Any, counts: list[int]) -> Iterator[None]:
    """Train on `mse`, in training mode; pause after each of these numbers of steps, the model's variables updated."""
    xs: Any = keras.tree.map_structure(torch.tensor, inputs)
    made = keras.tree.flatten(model(*xs, **mode(model, False)))
    aims = [torch.tensor(t) for t in targets([o.detach().numpy() for o in made])]
    variables = model.trainable_variables
    for n in range(1, counts[-1] + 1):
        outputs = keras.tree.flatten(model(*xs, **mode(model, True)))
        loss = torch.stack([((o - a) ** 2).mean() for o, a in zip(outputs, aims)]).sum()
        grads = torch.autograd.grad(loss, [v.value for v in variables], allow_unused=True)
        with torch.no_grad():
            optimizer.apply(grads, variables)
        if n in counts:
            yield
