"""A PyTorch model as an exported graph, with chosen modules kept whole."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import traceback
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch._subclasses.fake_tensor import FakeTensor

import compose
from compose.core.errors import PortError
from compose.port.frontends.torch.bags import traceable_bags
from compose.port.frontends.torch.branching import ChoiceOfSizes, traced_choices
from compose.port.frontends.torch.calls import Call
from compose.port.frontends.torch.leaf_modules import Whole, kept_whole
from compose.port.frontends.torch.numbered import exported_by_number
from compose.port.frontends.torch.traceable import traceable_losses
from compose.port.frontends.torch.transforms import traceable_transforms
from compose.port.frontends.torch.triton import import_triton_beside_tensorflow
from compose.port.frontends.torch.untouched import left_as_it_was
from compose.port.lowering.values import BATCH

_FOREIGN = tuple(folder + os.sep for module in (torch, compose) for folder in module.__path__)


class Exported(NamedTuple):
    """The exported program, the calls of modules kept whole, and the call that it was made with.

    Attributes:
        free: whether the batch may have any size.
        numbered: whether the model reads that size as a number, so that one stands for it.
    """

    program: Any
    calls: list[Whole]
    call: Call
    free: bool
    numbered: bool


def export(model: torch.nn.Module, call: Call, like: Exported | None = None, fixed: bool = False) -> Exported:
    """Export in inference mode, not decomposed, with a batch of any size where the model allows it.

    Modules whose class has a rule are kept whole. A batch of one is doubled, since the exporter takes a size of
    one for a constant.

    Args:
        like: the model was exported so for another call; by default the batch is any if that can be.
        fixed: whether the batch has the size of the call.

    Raises `PortError` with the user's line where the model cannot be exported.
    """
    _refuse_spectral_norm(model)
    _refuse_cumulative_mean(model)
    import_triton_beside_tensorflow()
    with in_inference(model), quiet():
        return _first_that_exports(model, call, like, fixed)


@contextlib.contextmanager
def in_inference(model: torch.nn.Module) -> Iterator[None]:
    """Inference mode, by operations that can be traced; afterwards the model is as it was before."""
    fast = torch.backends.mha.get_fastpath_enabled()
    with left_as_it_was(model):
        model.eval()
        torch.backends.mha.set_fastpath_enabled(False)
        functions: Any = torch._VF
        functions._pack_padded_sequence = _refuse_packed
        tensors: Any = torch.Tensor
        tensors.data = _TRACED_DATA
        try:
            with traceable_bags(), traceable_losses(), traceable_transforms(), traced_choices():
                yield
        finally:
            torch.backends.mha.set_fastpath_enabled(fast)
            del functions._pack_padded_sequence, tensors.data


def _first_that_exports(model: torch.nn.Module, call: Call, like: Exported | None, fixed: bool) -> Exported:
    errors = []
    for given, batch, numbered in _attempts(call):
        kind = batch is not None, numbered
        if (like is not None and kind != (like.free, like.numbered)) or (fixed and kind[0]):
            continue
        try:
            with left_as_it_was(model), kept_whole(model) as calls, torch.enable_grad():
                export_it = exported_by_number if numbered else _export
                return Exported(export_it(model, given, batch), calls, given, *kind)
        except ChoiceOfSizes as e:
            raise ChoiceOfSizes(f"{e}{_own_line(e)}") from e
        except Exception as e:
            errors.append(e)
    error = errors[-1]
    where = _own_line(error)
    if isinstance(error, PortError):
        raise PortError(f"{error}{where}") from error
    raise PortError(
        f"a model that torch.export can trace, got {type(error).__name__}{where}: {_first_lines(error)}\n"
        "  a choice that depends on data is written torch.where(condition, a, b), one of the whole batch torch.cond"
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


def _refuse_cumulative_mean(model: torch.nn.Module) -> None:
    for path, module in model.named_modules():
        if getattr(module, "momentum", 0.0) is None and getattr(module, "track_running_stats", False):
            where = f"{path or 'the model'}, a {type(module).__name__}"
            raise PortError(
                f"running statistics with a momentum, got momentum=None at {where}: their mean over all batches, "
                "which no layer keeps; set its momentum, as to 0.1, before porting"
            )


def _traced_data(x: torch.Tensor) -> torch.Tensor:
    """`x.data`, as the exporter can trace it."""
    return x.detach() if type(x) is FakeTensor else _DATA.__get__(x)


_DATA: Any = torch.Tensor.data
_TRACED_DATA = property(_traced_data, lambda x, new: _DATA.__set__(x, new))


def _refuse_packed(*args: Any) -> None:
    raise PortError(
        "sequences that are padded, got pack_padded_sequence; leave it out, port, and give the recurrent layer the "
        "lengths: lstm(8) takes (x, lengths)"
    )


def _attempts(call: Call) -> Iterator[tuple[Call, int | None, bool]]:
    """Calls, the size that is their batch, of those that share the first's, or none, and whether it is a number."""
    tensors = [x for x in call.tensors if x.ndim]
    sizes = {len(x) for x in tensors}
    if sizes == {1}:
        doubled = call.of_tensors(_doubled(x) if x.ndim else x for x in call.tensors)
        yield doubled, 2, False
        yield doubled, 2, True
    elif sizes:
        yield call, len(tensors[0]), False
        yield call, len(tensors[0]), True
    yield call, None, False


def _doubled(x: torch.Tensor) -> torch.Tensor:
    symmetric = x.ndim > 2 and x.shape[-1] == x.shape[-2] and torch.allclose(x, x.mT)
    return torch.cat([x, 0.5 * x if symmetric and x.is_floating_point() else x.flip(-1)])  # two examples that differ


def _export(model: torch.nn.Module, call: Call, batch: int | None) -> Any:
    args, kwargs = call.arguments
    if batch is None:
        return torch.export.export(model, args, kwargs, strict=False)
    axis = torch.export.Dim("batch", min=1)
    shapes: Any = torch.export.ShapesCollection()
    for x in call.tensors:
        if x.ndim and len(x) == batch:
            shapes[x] = {0: axis}
    return torch.export.export(model, args, kwargs, dynamic_shapes=shapes, strict=False)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
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
    own = [p for p in places if not _foreign(p) and not p.startswith("<eval_with_key>")]
    if own:
        file, _, rest = own[-1].partition('", line ')
        return f"{file}:{rest.split(',')[0]}"
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    return f"{stack[-1][0] or 'the model'}, a {str(stack[-1][1]).rpartition('.')[2]}" if stack else ""
