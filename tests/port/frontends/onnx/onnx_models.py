"""PyTorch models as ONNX files, by both of torch's exporters, and the port's training beside torch's own."""

from __future__ import annotations

import io
import warnings

import jax
import numpy as np
import onnx
import torch

from compose import port
from compose.port.frontends.torch.calls import Call
from compose.port.frontends.torch.reference import TorchModel
from compose.port.proof.training import Trainer

SCRIPT, DYNAMO = "torchscript", "dynamo"


def exported(model, *inputs, by: str = DYNAMO, keep: bool = False) -> onnx.ModelProto:
    """The model in inference mode with a batch of any size; `keep` leaves batch norm as it is."""
    model.eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of exporters, about themselves
        if by == DYNAMO:
            batch = tuple({0: torch.export.Dim.DYNAMIC} for _ in inputs)
            made = torch.onnx.export(model, inputs, dynamo=True, dynamic_shapes=batch, optimize=not keep, verbose=False)
            return made.model_proto
        buffer, names = io.BytesIO(), [f"x{i}" for i in range(len(inputs))]
        mode = {"training": torch.onnx.TrainingMode.PRESERVE, "do_constant_folding": False} if keep else {}
        batch = {name: {0: "batch"} for name in names}
        torch.onnx.export(model, inputs, buffer, dynamo=False, input_names=names, dynamic_axes=batch, **mode)
        return onnx.load_from_string(buffer.getvalue())


def perturbed(model):
    """Off zero and one: exporters store equal arrays once, and drop biases of zero."""
    torch.manual_seed(0)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.1 * torch.randn_like(p))
        for name, buffer in model.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                buffer.copy_(0.5 + torch.rand_like(buffer))
    return model


def distance_after_training(ported, model, *inputs, steps: int = 20) -> float:
    """How far the port's outputs are from torch's after training steps of both in float64, relative to their size."""
    theirs = TorchModel(model, Call.of(inputs, {}), ported.graph, {})
    arrays = {name: t.double().numpy() for name, t in model.state_dict().items() if t.is_floating_point()}
    xs, optimizer = theirs.inputs(), theirs.default_optimizer()
    with jax.enable_x64(True):
        params, state = ported.weights.load({k: np.asarray(v, np.float64) for k, v in ported.graph.arrays.items()})
        before = outputs(ported, params, state, xs)
        params, state = Trainer(ported, xs, 0, port.optimizer(optimizer)).run(params, state, [steps])[steps]
        after = outputs(ported, params, state, xs)
    wanted = theirs.outputs(theirs.train(arrays, xs, 0, optimizer, [steps])[0], xs)
    assert all(np.max(np.abs(a - b)) > 1e-4 for a, b in zip(before, after))  # something was learnt
    return max(float(np.max(np.abs(a - b)) / np.max(np.abs(b))) for a, b in zip(after, wanted))


def outputs(ported, params, state, inputs) -> list[np.ndarray]:
    made = ported.net.apply(params, state, *ported.ours(inputs))[0]
    return ported.theirs_out([np.asarray(y) for y in jax.tree.leaves(made)])
