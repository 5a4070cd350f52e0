"""PyTorch's own database of operators: those of floats that give floats and draw nothing at random.

Each has three samples of different shapes and options, with all tensors as inputs, and one with the first as the input
and the others as buffers. The first axis of a sample is a batch by chance alone: what does not port for any size of it
is ported for that of the sample.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.testing._internal.common_methods_invocations import op_db
from torch.utils import _pytree as pytree

from compose import port
from compose.core.errors import PortError
from suites import Case, NoModel
from suites.torch_calls import Draws, Method

torch.set_num_threads(1)

EACH = 3  # samples of an operator
SEEN = 40  # of which they are chosen
IMPRECISE = {
    # torch's trigamma, which the gradients of these are made of, is right to 5e-10 in float64
    "digamma", "polygamma", "special.polygamma", "mvlgamma", "special.multigammaln",
    # of one element alone, whose gradient is what cancellation leaves
    "nn.functional.layer_norm", "nn.functional.group_norm", "nn.functional.rms_norm",
    "native_layer_norm",
}  # fmt: skip


def cases() -> Iterator[Case]:
    for op in op_db:
        name = op.name + (f".{op.variant_test_name}" if op.variant_test_name else "")
        written, drawn = name in ("resize_", "resize_as_"), name.endswith("dropout.with_train")
        if torch.float32 not in op.dtypes or name.startswith(("empty", "new_empty")) or written or drawn:
            continue
        tolerance = 1e-8 if op.name in IMPRECISE else 1e-10
        for i, fixed in [*((i, False) for i in range(EACH)), (0, True)]:
            yield Case(f"{name}/{i}{' fixed' * fixed}", _porter(op, i, fixed), tolerance=tolerance)


def _porter(op: Any, i: int, fixed: bool) -> Callable[[], Any]:
    def ported() -> Any:
        args, kwargs = _sample(op, i)
        leaves = pytree.tree_leaves((args, kwargs))
        taken = [j for j, leaf in enumerate(leaves) if isinstance(leaf, torch.Tensor)]
        if fixed:
            if len(taken) < 2:
                raise NoModel("one tensor alone")
            taken = [next((j for j in taken if leaves[j].is_floating_point()), taken[0])]
        model = Method(op.op, args, kwargs, set(taken)).eval()
        tensors = [leaves[j].detach().clone() for j in taken]
        _refuse_others(model, tensors)
        try:
            return port.from_torch(model, *tensors)
        except PortError as e:
            try:
                return port.from_torch(model, *tensors, fixed_batch=True)
            except PortError:
                raise e from None

    return ported


def _sample(op: Any, i: int) -> tuple[Any, Any]:
    torch.manual_seed(0)
    try:
        found = list(itertools.islice(op.sample_inputs("cpu", torch.float32, requires_grad=False), SEEN))
    except Exception as e:
        raise NoModel(f"no samples: {e}") from e
    distinct: dict[str, tuple[Any, Any]] = {}
    for s in found:
        given = ((s.input, *s.args), dict(s.kwargs))
        say = lambda v: f"{tuple(v.shape)} {v.dtype}" if isinstance(v, torch.Tensor) else repr(v)[:80]
        if _usable(given):
            distinct.setdefault(str(pytree.tree_map(say, given)), given)
    chosen = list(distinct.values())
    places = sorted({round(k * (len(chosen) - 1) / (EACH - 1)) for k in range(EACH)}) if chosen else []
    if i >= len(places):
        raise NoModel("fewer samples")
    return chosen[places[i]]


def _usable(given: Any) -> bool:
    """Whether a call has a float, and no tensor that is empty, complex or sparse."""
    tensors = [x for x in pytree.tree_leaves(given) if isinstance(x, torch.Tensor)]
    plain = all(x.layout is torch.strided and x.numel() and not x.is_complex() for x in tensors)
    return plain and any(x.is_floating_point() for x in tensors)


def _refuse_others(model: torch.nn.Module, tensors: list[torch.Tensor]) -> None:
    """Raise `NoModel` for an operator that fails, draws at random, or gives no floats."""
    draws = Draws()
    try:
        with torch.no_grad(), draws:
            made = pytree.tree_leaves(model(*(t.clone() for t in tensors)))
            copy.deepcopy(model).double()(*(t.double() if t.is_floating_point() else t.clone() for t in tensors))
    except Exception as e:
        raise NoModel(f"{type(e).__name__}: {e}") from e
    results = [o for o in made if isinstance(o, torch.Tensor)]
    if not any(o.is_floating_point() or o.is_complex() for o in results):
        raise NoModel("no float output")
    if any(o.layout is not torch.strided for o in results):
        raise NoModel("a sparse output")
    if draws.found:
        raise NoModel("random")
