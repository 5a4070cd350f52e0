"""A PyTorch model as an exported graph, with chosen modules kept whole."""

from __future__ import annotations

import contextlib
import functools
import inspect
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from compose.core.errors import PortError
from compose.port.lowering.values import BATCH
from compose.port.rules import whole_outputs


@dataclass(frozen=True)
class Whole:
    """One call of a module that is kept whole.

    Attributes:
        module: the live module.
        path: its name in the model.
        options: the arguments of the call that are no tensors, by name.
        tensors: the names of those that are, in the order of the node's inputs.
    """

    module: torch.nn.Module
    path: str
    options: dict[str, Any]
    tensors: tuple[str, ...]


def export(model: torch.nn.Module, inputs: tuple) -> tuple[Any, list[Whole]]:
    """Export in inference mode, not decomposed, with a batch of any size where the model allows it.

    Modules whose class has a rule are kept whole.

    Raises `PortError` with the user's line where the model cannot be exported.
    """
    was_training = {m: m.training for m in model.modules()}
    model.eval()
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with _kept_whole(model) as calls, torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the exporter, about what it does to recurrent modules
            return _export(model, inputs), calls
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for module, mode in was_training.items():
            module.training = mode


def _export(model, inputs: tuple):
    batch = torch.export.Dim("batch", min=1)
    dynamic = tuple({0: batch} if isinstance(x, torch.Tensor) and x.ndim else None for x in inputs)
    errors = []
    for given, shapes in ((_doubled(inputs), dynamic), (inputs, None)):
        try:
            return torch.export.export(model, given, dynamic_shapes=shapes, strict=False)
        except Exception as e:
            errors.append(e)
    raise PortError(
        f"a model that torch.export can trace, got {type(errors[-1]).__name__}: {_first_lines(errors[-1])}"
    ) from errors[-1]


def _doubled(inputs: tuple) -> tuple:
    """Examples whose batch is one as a batch of two: `torch.export` takes a size of one for a constant."""
    tensors = [x for x in inputs if isinstance(x, torch.Tensor) and x.ndim]
    if any(len(x) != 1 for x in tensors):
        return inputs
    return tuple(torch.cat([x, x]) if isinstance(x, torch.Tensor) and x.ndim else x for x in inputs)


def _first_lines(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    user = [line for line in lines if 'File "' in line and "/torch/" not in line]
    return "; ".join([*lines[:2], *user[-1:]])


@contextlib.contextmanager
def _kept_whole(model: torch.nn.Module) -> Iterator[list[Whole]]:
    calls: list[Whole] = []
    changed = []
    for path, module in model.named_modules():
        outputs = whole_outputs(type(module))
        if outputs is not None:
            module.forward = _stand_in(module, path, outputs, calls)
            changed.append(module)
    try:
        yield calls
    finally:
        for module in changed:
            del module.forward


def _stand_in(module, path: str, outputs: Callable, calls: list[Whole]) -> Callable:
    signature = inspect.signature(type(module).forward)
    op = _whole_op()

    def forward(*args, **kwargs):
        bound = signature.bind(module, *args, **kwargs)
        bound.apply_defaults()
        given = {k: v for k, v in list(bound.arguments.items())[1:]}
        tensors = {k: v for k, v in given.items() if isinstance(v, torch.Tensor)}
        made = outputs(module, **given)
        many = isinstance(made, tuple)
        shapes = [list(t.shape) for t in (made if many else (made,)) if t is not None]
        calls.append(Whole(module, path, {k: v for k, v in given.items() if k not in tensors}, tuple(tensors)))
        sizes, ranks = [n for s in shapes for n in s], [len(s) for s in shapes]
        results = iter(op(list(tensors.values()), sizes, ranks, len(calls) - 1))
        if not many:
            return next(results)
        return tuple(None if t is None else next(results) for t in made)

    return forward


@functools.cache
def _whole_op():
    @torch.library.custom_op("compose::whole", mutates_args=())
    def whole(inputs: list[torch.Tensor], sizes: list[int], ranks: list[int], call: int) -> list[torch.Tensor]:
        return _empty(inputs, sizes, ranks)

    whole.register_fake(lambda inputs, sizes, ranks, call: _empty(inputs, sizes, ranks))
    return whole


def _empty(inputs, sizes, ranks):
    made, start = [], 0
    for rank in ranks:
        made.append(inputs[0].new_empty(sizes[start : start + rank]))
        start += rank
    return made


def sizes_of(value: Any) -> Any:
    """The shape of a traced tensor, or a traced number, with `BATCH` for the batch."""
    if isinstance(value, torch.Tensor):
        return tuple(sizes_of(n) for n in value.shape)
    if isinstance(value, torch.SymInt):
        expression = value.node.expr
        return int(expression.subs({symbol: BATCH for symbol in expression.free_symbols}))
    return value


def user_line(node) -> str:
    """The file and line of the user's code that made a node."""
    trace = node.meta.get("stack_trace") or ""
    places = [line.strip() for line in trace.splitlines() if line.strip().startswith("File ")]
    own = [p for p in places if "/torch/nn/modules/" not in p] or places
    if not own:
        return ""
    file, _, rest = own[-1].removeprefix('File "').partition('", line ')
    return f"{file}:{rest.split(',')[0]}"
