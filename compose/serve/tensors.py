"""Tensors of the Open Inference Protocol as NumPy arrays, from JSON and from bytes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from compose.core.errors import ConfigError
from compose.serve.errors import ServeError

DATATYPES: dict[str, np.dtype] = {
    "BOOL": np.dtype(bool), "UINT8": np.dtype("<u1"), "UINT16": np.dtype("<u2"), "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"), "INT8": np.dtype("<i1"), "INT16": np.dtype("<i2"), "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"), "FP16": np.dtype("<f2"), "FP32": np.dtype("<f4"), "FP64": np.dtype("<f8"),
    "BF16": jnp.dtype(jnp.bfloat16),
}  # fmt: skip
_NAMES = {dtype: name for name, dtype in DATATYPES.items()}


@dataclass(frozen=True)
class Slot:
    """An input or output of a model.

    Attributes:
        name: its name.
        shape: of one example, without the batch axis.
        dtype: of its numbers.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype

    def __post_init__(self):
        if self.dtype not in _NAMES:
            raise ConfigError(f"inputs and outputs of {', '.join(DATATYPES)}", f"{self.name} of {self.dtype}")

    @property
    def datatype(self) -> str:
        """Its name in the protocol, such as `"FP32"`."""
        return _NAMES[self.dtype]

    def described(self) -> dict[str, Any]:
        """As in the protocol's metadata of a model."""
        return {"name": self.name, "datatype": self.datatype, "shape": [-1, *self.shape]}


def dtype_of(name: str, datatype: str) -> np.dtype:
    """The dtype that a tensor says it has. Raises `ServeError`."""
    if datatype not in DATATYPES:
        raise ServeError(400, f"{name}: the datatype must be one of {', '.join(DATATYPES)}")
    return DATATYPES[datatype]


def from_json(name: str, data: Any, dtype: np.dtype) -> np.ndarray:
    """Numbers in nested lists as an array of this dtype. Raises `ServeError` unless they all fit in it."""
    try:
        array = np.asarray(data)
    except (ValueError, OverflowError, RecursionError):
        raise ServeError(400, f"{name}: the lists of its data differ in length or depth") from None
    floating = jnp.issubdtype(dtype, jnp.floating)
    kinds, what = (
        ("b", "true and false") if dtype.kind == "b" else ("iuf", "numbers") if floating else ("iu", "integers")
    )
    if array.size and (array.dtype.kind not in kinds or (array.dtype.kind != "b" and _some_truth(data))):
        raise ServeError(400, f"{name}: expected {what} that fit in {_NAMES[dtype]}")
    return _within(name, array, dtype, finite=True)


def _some_truth(data: Any) -> bool:
    """Whether a truth value is among the numbers of lists that are as long and as deep as each other."""
    if not isinstance(data, list):
        return isinstance(data, bool)
    return any(map(_some_truth, data)) if data and isinstance(data[0], list) else bool in map(type, data)


def from_bytes(name: str, data: bytes | memoryview, shape: Sequence[int], dtype: np.dtype) -> np.ndarray:
    """Little-endian bytes as an array. Raises `ServeError` unless there are as many as the shape takes."""
    if len(data) != math.prod(shape) * dtype.itemsize:
        raise ServeError(
            400, f"{name}: {len(data)} bytes, but its shape takes {_short(math.prod(shape))} of {dtype.itemsize} each"
        )
    if dtype.kind == "b" and np.frombuffer(data, np.uint8).max(initial=0) > 1:
        raise ServeError(400, f"{name}: bytes of BOOL must be 0 or 1")
    return np.frombuffer(data, dtype).reshape(tuple(shape))


def shaped(name: str, array: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """The array, which may be flat, in the shape that is given for it. Raises `ServeError`."""
    if array.size != math.prod(shape):
        raise ServeError(
            400, f"{name}: {array.size} numbers, but its shape {_shape(shape)} takes {_short(math.prod(shape))}"
        )
    if array.ndim != 1 and array.shape != tuple(shape):
        raise ServeError(400, f"{name}: its data have shape {_shape(array.shape)}, not {_shape(shape)}")
    return array.reshape(tuple(shape))


def fitted(slot: Slot, array: np.ndarray) -> np.ndarray:
    """A batch for an input: of its shape, and of its dtype if that can be without changing what was meant.

    Floats become floats and integers become integers that they fit in; anything else raises `ServeError`.
    """
    if array.shape[1:] != slot.shape or array.ndim == 0 or not len(array):
        raise ServeError(
            400, f"{slot.name}: expected shape {_shape(('n', *slot.shape))} with n of at least 1, "
            f"got {_shape(array.shape)}"
        )  # fmt: skip
    if _kind(array.dtype) != _kind(slot.dtype):
        raise ServeError(400, f"{slot.name}: expected {slot.datatype}, got {_NAMES.get(array.dtype, array.dtype)}")
    return _within(slot.name, array, slot.dtype)


def check_finite(slot: Slot, array: np.ndarray) -> None:
    """Raise `ServeError` for an output that JSON has no numbers for."""
    if not _finite(array).all():
        raise ServeError(
            400, f"{slot.name}: the answer to these inputs holds NaN or Infinity, which JSON cannot express; "
            "ask for binary output"
        )  # fmt: skip


def _within(name: str, array: np.ndarray, dtype: np.dtype, finite: bool = False) -> np.ndarray:
    """The array in another dtype of its kind. Raises `ServeError` if a number is beyond its range."""
    if array.dtype == dtype and not finite:
        return array
    with np.errstate(over="ignore", invalid="ignore"):
        cast = array.astype(dtype)
    if _kind(dtype) == "f":
        wrong = ~_finite(cast) if finite else _finite(array) & ~_finite(cast)
    else:
        wrong = (cast != array) | ((cast < 0) != (array < 0)) if dtype.kind != "b" else np.zeros(1, bool)
    if wrong.any():
        raise ServeError(400, f"{name}: a number that is not finite or out of the range of {_NAMES[dtype]}")
    return cast


def _finite(array: np.ndarray) -> np.ndarray:
    return np.isfinite(array) if _kind(array.dtype) == "f" else np.ones(array.shape, bool)


def _kind(dtype: np.dtype) -> str:
    """`"f"`, `"i"` or `"b"`: floats of any width, integers of any width, or truth values."""
    return "f" if jnp.issubdtype(dtype, jnp.floating) else "b" if dtype.kind == "b" else "i"


def _shape(shape: Sequence[Any]) -> str:
    shown = [_short(n) for n in shape[:8]] + ["..."] * (len(shape) > 8)
    return f"[{', '.join(shown)}]"


def _short(n: Any) -> str:
    return str(n) if isinstance(n, str) or n < 10**12 else "more than 10^12"
