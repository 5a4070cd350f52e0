"""Functions with a backward of their own: an exported graph holds their forward, and says nothing of them."""

from __future__ import annotations

import inspect
from collections.abc import Iterable

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from compose.port.frontends.torch.calls import Call
from compose.port.frontends.torch.capture import in_inference, quiet


def own_gradients(model: torch.nn.Module, call: Call) -> tuple[str, ...]:
    """A note for each `torch.autograd.Function` outside of PyTorch in the backward graph of a call."""
    try:
        with in_inference(model), quiet(), torch.enable_grad(), FakeTensorMode(allow_non_fake_inputs=True) as fake:
            tensors = [fake.from_tensor(x) for x in call.tensors]
            made = call.run(model, [x.requires_grad_() if x.is_floating_point() else x for x in tensors])
    except Exception:  # of a call that cannot be traced, nothing is known
        return ()
    functions = (getattr(step, "_forward_cls", None) for step in _steps(x.grad_fn for x in made))
    own = [f for f in dict.fromkeys(functions) if f is not None and f.__module__.partition(".")[0] != "torch"]
    return tuple(
        f"{f.__name__}{_where(f)} has a backward of its own, here the derivative of its forward stands for it: where "
        f"these differ, write `x + (f(x) - x).detach()`, of the value of f(x) and the gradient of x"
        for f in own
    )


def _steps(ends: Iterable) -> Iterable:
    """The steps of a backward graph."""
    seen = {}
    waiting = [end for end in ends if end is not None]
    while waiting:
        step = waiting.pop()
        if id(step) not in seen:
            seen[id(step)] = step
            waiting += [before for before, _ in step.next_functions if before is not None]
    return seen.values()


def _where(cls: type) -> str:
    try:
        return f" at {inspect.getsourcefile(cls)}:{inspect.getsourcelines(cls)[1]}"
    except (OSError, TypeError):
        return ""
