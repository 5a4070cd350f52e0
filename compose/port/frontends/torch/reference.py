"""A PyTorch model as the proof needs it: in float64, on given weights."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import numpy as np
import torch
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from compose.core.errors import PortError
from compose.port.frontends.torch.calls import Call
from compose.port.frontends.torch.certain import Certain
from compose.port.frontends.torch.float64 import exact
from compose.port.frontends.torch.untouched import kept_tensors
from compose.port.ir.graph import SourceGraph
from compose.port.ir.reference import Arrays, Gradients
from compose.port.proof.finite_differences import Differences
from compose.port.proof.reference import cotangents


class TorchModel:
    """See `compose.port.ir.reference.Reference`."""

    def __init__(self, model: torch.nn.Module, call: Call, graph: SourceGraph, exact: Arrays):
        self.model, self.call, self.graph, self.exact = model, call, graph, exact
        self.examples = [x.detach().cpu().numpy() for x in call.tensors]
        floats = (p.dtype for p in model.parameters() if p.is_floating_point())
        self.dtype = next(floats, torch.get_default_dtype())

    def inputs(self) -> list[np.ndarray]:
        return [x.astype(np.float64) if np.issubdtype(x.dtype, np.floating) else x for x in self.examples]

    def outputs(self, arrays: Arrays, inputs: list[np.ndarray]) -> list[np.ndarray]:
        model = self._with(arrays).eval()
        with torch.no_grad(), exact(self.dtype):
            return [_array(o) for o in self.call.run(model, map(torch.from_numpy, inputs))]

    def gradients(self, arrays: Arrays, inputs: list[np.ndarray], seed: int) -> Gradients | Differences:
        model = self._with(arrays).eval()
        try:
            with exact(self.dtype), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of gradients of real numbers that complex ones were made of
                return self._gradients(model, arrays, inputs, seed)
        except (RuntimeError, NotImplementedError) as e:
            if "differentiable" not in str(e) and "derivative" not in str(e):
                raise
            return Differences(self.outputs, arrays, inputs, seed)  # torch has no gradient of an operation

    def _gradients(self, model: torch.nn.Module, arrays: Arrays, inputs: list[np.ndarray], seed: int) -> Gradients:
        xs = _tensors(inputs)
        outputs = self.call.run(model, xs)
        weights = {n: p for n, p in model.named_parameters() if n in arrays and p.requires_grad}
        leaves = [x for x in xs if x.requires_grad]
        wanted = [*leaves, *weights.values()]
        given = cotangents([_array(o) for o in outputs], seed)
        parts = [_real((o * torch.from_numpy(c)).sum()) for o, c in zip(outputs, given) if o.requires_grad]
        none = (None,) * len(wanted)
        found = torch.autograd.grad(torch.stack(parts).sum(), wanted, allow_unused=True) if parts else none
        grads = [np.zeros(v.shape) if g is None else g.numpy(force=True) for g, v in zip(found, wanted)]
        inner, outer = grads[: len(leaves)], dict(zip(weights, grads[len(leaves) :]))
        return Gradients([_array(o) for o in outputs], inner, outer, any(g is not None for g in found))

    def train(
        self, arrays: Arrays, inputs: list[np.ndarray], seed: int, optimizer: Any, counts: list[int]
    ) -> list[Arrays]:
        model = self._with({name: array.copy() for name, array in arrays.items()}).train()
        for module in model.modules():
            for rate in ("p", "dropout", "drop_prob"):
                if isinstance(getattr(module, rate, None), float):
                    setattr(module, rate, 0.0)
        own = self._optimizer(optimizer, model)
        xs = [torch.from_numpy(x) for x in inputs]
        targets, after = None, []
        for step in range(1, counts[-1] + 1):
            if own:
                own.zero_grad()
            with exact(self.dtype), Certain():
                outputs = self.call.run(model, xs)
                if targets is None:
                    targets = [torch.from_numpy(t) for t in cotangents([_array(o) for o in outputs], seed)]
                loss = torch.stack([((o.double() - t) ** 2).mean() for o, t in zip(outputs, targets)]).sum()
                if loss.requires_grad:
                    loss.backward()
            if own:
                own.step()
            if step in counts:
                weights = model.state_dict()
                after.append({name: weights[name].numpy().copy() for name in arrays})
        return after

    def intermediates(self, arrays: Arrays, inputs: list[np.ndarray]) -> list[np.ndarray]:
        seen: list[np.ndarray] = []
        model = self._with(arrays).eval()
        with torch.no_grad(), exact(self.dtype), Watch(seen):
            self.call.run(model, map(torch.from_numpy, inputs))
        return seen

    def default_optimizer(self) -> Any:
        none = [torch.nn.Parameter(torch.zeros(0))]
        return torch.optim.SGD(list(self.model.parameters()) or none, lr=0.01, momentum=0.9)

    def _with(self, arrays: Arrays) -> torch.nn.Module:
        """A copy in float64 on these weights, which it does not copy."""
        tensors = {**dict(self.model.named_parameters()), **dict(self.model.named_buffers())}
        memo = {id(tensors[name]): _like(tensors[name], array) for name, array in arrays.items()}
        made = (v for v in kept_tensors(self.model) if not v.is_leaf)  # what a hook makes again before each call
        memo |= {id(v): v.detach() for v in made}
        model = copy.deepcopy(self.model, memo)
        for old, new in zip(self.model.modules(), model.modules()):
            if isinstance(new, torch.nn.RMSNorm) and new.eps is None:  # that of the dtype which it has
                new.eps = torch.finfo(getattr(old.weight, "dtype", torch.get_default_dtype())).eps
        model = model.double()
        for name, array in self.exact.items():
            model.get_buffer(name).copy_(torch.from_numpy(array))
        return model

    def _optimizer(self, optimizer: torch.optim.Optimizer, model: torch.nn.Module) -> torch.optim.Optimizer | None:
        """The same optimizer over the copy's parameters, group by group; None for a model without any."""
        if not any(True for _ in model.parameters()):
            return None
        names = {id(p): n for n, p in self.model.named_parameters()}
        mine = dict(model.named_parameters())
        groups = []
        for group in optimizer.param_groups:
            if any(id(p) not in names for p in group["params"]):
                raise PortError("an optimizer over the parameters of the ported model")
            options = {k: v for k, v in group.items() if k != "params"}
            groups.append({"params": [mine[names[id(p)]] for p in group["params"]], **options})
        made = type(optimizer)(groups, **{k: v for k, v in optimizer.defaults.items() if k in ("lr",)})
        return made


class Watch(TorchDispatchMode):
    """Keeps a copy of every tensor that an operation makes."""

    def __init__(self, seen: list[np.ndarray]):
        super().__init__()
        self.seen = seen

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        leaves = pytree.tree_leaves(made)
        self.seen += [_array(t).copy() for t in leaves if isinstance(t, torch.Tensor) and t.is_floating_point()]
        return made


def _like(tensor: torch.Tensor, array: np.ndarray) -> torch.Tensor:
    made = torch.from_numpy(np.ascontiguousarray(array)).reshape(tensor.shape)
    if not tensor.is_floating_point():
        made = made.to(tensor.dtype)
    if isinstance(tensor, torch.nn.Parameter):
        return torch.nn.Parameter(made, requires_grad=tensor.requires_grad)
    return made


def _array(output: torch.Tensor) -> np.ndarray:
    """An output as an array; NumPy has no bfloat16."""
    output = output.detach().resolve_conj().resolve_neg()
    if output.is_complex():
        return output.to(torch.complex128).numpy()
    return (output.double() if output.is_floating_point() else output).numpy()


def _real(x: torch.Tensor) -> torch.Tensor:
    return x.real if x.is_complex() else x


def _tensors(inputs: list[np.ndarray]) -> list[torch.Tensor]:
    made = [torch.from_numpy(np.array(x)) for x in inputs]
    return [x.requires_grad_() if x.is_floating_point() else x for x in made]
