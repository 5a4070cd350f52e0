"""The transforms of `torch.func` as the operations that they stand for: the exporter would keep their own calls."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any
from unittest import mock

import torch
from torch._functorch import apis, eager_transforms
from torch._functorch.vmap import vmap_impl
from torch.fx.experimental.proxy_tensor import disable_proxy_modes_tracing, make_fx
from torch.utils import _pytree as pytree

from compose.core.errors import PortError

# What runs each transform but `vmap`, however it was imported.
_RUN: tuple[tuple[Any, str], ...] = (
    (eager_transforms, "grad_impl"),
    (eager_transforms, "grad_and_value_impl"),
    (eager_transforms, "_jvp_with_argnums"),
)
# Those that make a function.
_MAKE = ("jacrev", "jacfwd", "hessian")
_inside = ContextVar("_inside", default=False)


@contextlib.contextmanager
def traceable_transforms() -> Iterator[None]:
    """In the `with` block, a transform runs the operations that it stands for."""
    run_at_once = _as_operations(functools.partial(_in_one_chunk, vmap_impl))
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.object(apis, "vmap_impl", run_at_once))
        for module, name in _RUN:
            stack.enter_context(mock.patch.object(module, name, _as_operations(getattr(module, name))))
        for name in _MAKE:
            stack.enter_context(mock.patch.object(torch.func, name, _makes(getattr(torch.func, name))))
        stack.enter_context(mock.patch.object(torch.func, "vjp", _vjp))
        yield


def refuse_levels(target: Any) -> None:
    """Raise `PortError` for what enters or leaves a derivative that no function of `torch.func` takes."""
    if str(getattr(target, "__module__", "")).startswith("torch._functorch"):
        raise PortError("derivatives by a function of torch.func, such as torch.func.jvp(f, (x,), (v,))")


def _in_one_chunk(run: Callable, fn: Callable, in_dims: Any, out_dims: Any, randomness: str, _: Any, *args, **kwargs):
    """Chunks save memory, and would be written out one after the other."""
    return run(fn, in_dims, out_dims, randomness, None, *args, **kwargs)


def _makes(transform: Callable) -> Callable:
    return functools.wraps(transform)(lambda *args, **options: _as_operations(transform(*args, **options)))


def _vjp(fn: Callable, *primals: Any, has_aux: bool = False) -> Any:
    """Its function computes the values once more, as their graph is not kept until it is called."""
    if _inside.get():
        return eager_transforms.vjp(fn, *primals, has_aux=has_aux)
    pull = lambda primals, given: eager_transforms.vjp(fn, *primals, has_aux=has_aux)[1](*given)
    back = lambda *given: _as_operations(pull)(primals, given)
    made = fn(*primals)
    return (made[0], back, made[1]) if has_aux else (made, back)


def _as_operations(call: Callable) -> Callable:
    """A function of tensors, among others, that traces its operations and then runs these; all at once if nested."""

    @functools.wraps(call)
    def run(*args: Any, **kwargs: Any) -> Any:
        if _inside.get():
            return call(*args, **kwargs)
        leaves, tree = pytree.tree_flatten((args, kwargs))
        tensors = {i: x for i, x in enumerate(leaves) if isinstance(x, torch.Tensor)}

        def of_tensors(*given: torch.Tensor) -> Any:
            known = dict(zip(tensors, given))
            args, kwargs = pytree.tree_unflatten([known.get(i, x) for i, x in enumerate(leaves)], tree)
            return call(*args, **kwargs)

        token = _inside.set(True)
        try:
            with torch._C.DisableTorchFunction(), disable_proxy_modes_tracing():
                graph = make_fx(of_tensors, _allow_non_fake_inputs=True)(*tensors.values())
        finally:
            _inside.reset(token)
        graph.graph.eliminate_dead_code()  # such as constants that were read as numbers
        graph.recompile()
        return graph(*tensors.values())

    return run
