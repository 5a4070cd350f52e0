"""Example inputs of a file, and the sizes with which it is read."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import helper

from compose.core.errors import PortError
from compose.port.frontends.onnx.model import HALF
from compose.port.lowering.values import BATCH

_COUNT = 3  # examples in a batch that the file leaves open

Sizes = dict[str, tuple[int, ...]]


def examples_and_sizes(model: onnx.ModelProto, inputs: tuple) -> tuple[list[np.ndarray], list[Sizes]]:
    """Arrays to run the model on, and the sizes to read it with: first with a batch of any size, then as they are.

    Raises `PortError` where the file leaves sizes open that no example gives, or the examples do not fit.
    """
    wanted = list(model.graph.input)
    if inputs and len(inputs) != len(wanted):
        names = ", ".join(x.name for x in wanted)
        raise PortError(f"one example for each of the {len(wanted)} inputs ({names}), got {len(inputs)}")
    rng = np.random.default_rng(0)
    examples = [_checked(x, given) for x, given in zip(wanted, inputs)] or [_drawn(x, rng) for x in wanted]
    examples = [e.astype(np.float32) if str(e.dtype) in HALF else e for e in examples]
    if all(e.size == 0 for e in examples):
        raise PortError("examples with numbers in them")
    fixed = {x.name: e.shape for x, e in zip(wanted, examples)}
    counts = {e.shape[0] for e in examples if e.ndim}
    free = {n: (BATCH, *s[1:]) if s else s for n, s in fixed.items()} if len(counts) == 1 else fixed
    return examples, [free, fixed] if free != fixed else [fixed]


def is_open(model: onnx.ModelProto) -> bool:
    """Whether the file takes batches of any size."""
    return all(None in _sizes(x)[:1] for x in model.graph.input)


def _sizes(value: onnx.ValueInfoProto) -> list[int | None]:
    if not value.type.HasField("tensor_type"):
        raise PortError(f"inputs that are tensors, got a {value.type.WhichOneof('value')} for {value.name}")
    return [d.dim_value or None for d in value.type.tensor_type.shape.dim]


def _checked(value: onnx.ValueInfoProto, given: Any) -> np.ndarray:
    made, sizes = np.asarray(given), _sizes(value)
    fits = made.ndim == len(sizes) and all(n in (None, m) for n, m in zip(sizes, made.shape))
    if not fits and value.type.tensor_type.HasField("shape"):
        raise PortError(f"an example of shape {_text(sizes)} for the input {value.name}, got {made.shape}")
    return made


def _drawn(value: onnx.ValueInfoProto, rng: np.random.Generator) -> np.ndarray:
    sizes = _sizes(value)
    shape = [n or _COUNT for n in sizes[:1]] + sizes[1:]
    if None in shape or not value.type.tensor_type.HasField("shape"):
        raise PortError(
            f"example inputs, since the file leaves sizes of {value.name} open: {_text(sizes)}; "
            "pass arrays: from_onnx(path, x)"
        )
    dtype = helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
    whole = [n for n in shape if n is not None]
    if np.issubdtype(dtype, np.floating) or str(dtype) in HALF:
        return rng.normal(size=whole).astype(dtype)
    return rng.integers(0, 2, whole).astype(dtype)


def _text(sizes: list[int | None]) -> str:
    return "(" + ", ".join("?" if n is None else str(n) for n in sizes) + ")"
