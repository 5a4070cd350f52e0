"""A PyTorch model as an exported graph, with chosen modules kept whole."""

from __future__ import annotations

import contextlib
import inspect
import io
import logging
import os
import traceback
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch

import compose
from compose.core.errors import PortError
from compose.port.frontends.torch.leaf_modules import Whole, kept_whole
from compose.port.frontends.torch.triton import import_triton_beside_tensorflow
from compose.port.lowering.values import BATCH

_FOREIGN = tuple(folder + os.sep for module in (torch, compose) for folder in module.__path__)


class Exported(NamedTuple):
    """The exported program, the calls of modules kept whole, and the example inputs it was made with."""

    program: Any
    calls: list[Whole]
    inputs: tuple


def export(model: torch.nn.Module, inputs: tuple) -> Exported:
    """Export in inference mode, not decomposed, with a batch of any size where the model allows it.

    Modules whose class has a rule are kept whole. A batch of one is doubled, since the exporter takes a size of
    one for a constant.

    Raises `PortError` with the user's line where the model cannot be exported.
    """
    _refuse_spectral_norm(model)
    import_triton_beside_tensorflow()
    was_training = {m: m.training for m in model.modules()}
    model.eval()
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad(), _quiet():
            return _first_that_exports(model, inputs)
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for module, mode in was_training.items():
            module.training = mode


def _first_that_exports(model: torch.nn.Module, inputs: tuple) -> Exported:
    errors = []
    for given, batch in _attempts(inputs):
        try:
            with kept_whole(model) as calls:
                return Exported(_export(model, given, batch), calls, given)
        except Exception as e:
            errors.append(e)
    error = errors[-1]
    where = _own_line(error)
    raise PortError(
        f"a model that torch.export can trace, got {type(error).__name__}{where}: {_first_lines(error)}\n"
        "  a choice that depends on data is written torch.where(condition, a, b)"
    ) from error


def _refuse_spectral_norm(model: torch.nn.Module) -> None:
    for path, module in model.named_modules():
        hooks = (*module._forward_pre_hooks.values(), module)
        if any(type(part).__name__ in ("_SpectralNorm", "SpectralNorm") for part in hooks):
            where = path.partition(".parametrizations")[0] or type(module).__name__
            raise PortError(
                f"a model without spectral_norm, got it at {where}: remove_parametrizations there, port, and wrap "
                "the layer in spectral_norm(...) of compose, whose iteration is half a step from torch's"
            )


def _attempts(inputs: tuple) -> Iterator[tuple[tuple, int | None]]:
    """Inputs, and the size that is their batch: of all, of those that share the first's, none."""
    tensors = [x for x in inputs if isinstance(x, torch.Tensor) and x.ndim]
    sizes = {len(x) for x in tensors}
    if sizes == {1}:
        yield tuple(_doubled(x) if isinstance(x, torch.Tensor) and x.ndim else x for x in inputs), 2
    elif sizes:
        yield inputs, len(tensors[0])
    yield inputs, None


def _doubled(x: torch.Tensor) -> torch.Tensor:
    return torch.cat([x, x.flip(-1)])  # two examples that differ


def _export(model: torch.nn.Module, inputs: tuple, batch: int | None) -> Any:
    axis = torch.export.Dim("batch", min=1)
    free = lambda x: isinstance(x, torch.Tensor) and x.ndim > 0 and len(x) == batch
    shapes: Any = None if batch is None else tuple({0: axis} if free(x) else None for x in inputs)
    parameters = inspect.signature(model.forward).parameters.values()
    starred = next((i for i, p in enumerate(parameters) if p.kind is p.VAR_POSITIONAL), None)
    if shapes is not None and starred is not None:
        shapes = (*shapes[:starred], shapes[starred:])
    return torch.export.export(model, inputs, dynamic_shapes=shapes, strict=False)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporter writes about recurrent modules, and all it knows of a model that it cannot trace."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _first_lines(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return "; ".join(lines[:2])[:300]


def _own_line(error: BaseException) -> str:
    """The innermost line of the user's own in the traceback of an error."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not _foreign(f.filename)]
    return f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""


def _foreign(file: str) -> bool:
    return file.startswith(_FOREIGN) or file.endswith("/contextlib.py")


def sizes_of(value: Any) -> Any:
    """The shape of a traced tensor, or a traced number, with `BATCH` for the batch."""
    if isinstance(value, torch.Tensor):
        return tuple(sizes_of(n) for n in value.shape)
    if isinstance(value, torch.SymInt):
        expression = value.node.expr
        return int(expression.subs({symbol: BATCH for symbol in expression.free_symbols}))
    return value


def user_line(node) -> str:
    """The file and line of the user's code that made a node, or the module where no such code did."""
    trace = node.meta.get("stack_trace") or ""
    places = [line.strip().removeprefix('File "') for line in trace.splitlines() if line.strip().startswith("File ")]
    own = [p for p in places if not _foreign(p)]
    if own:
        file, _, rest = own[-1].partition('", line ')
        return f"{file}:{rest.split(',')[0]}"
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    return f"{stack[-1][0] or 'the model'}, a {str(stack[-1][1]).rpartition('.')[2]}" if stack else ""
