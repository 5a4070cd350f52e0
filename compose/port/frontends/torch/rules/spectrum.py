"""Complex numbers and Fourier transforms."""

from __future__ import annotations

from typing import Any

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.torch.plain import emitted, plains
from compose.port.frontends.torch.registry import rule
from compose.port.lowering.values import identity_axes

_FORWARD = ("backward", "ortho", "forward")  # the scale of torch's normalisations 0, 1, 2 of a forward transform


@rule("aten._fft_r2c")
def _real(low, node, x, axes: list[int], normalization: int, onesided: bool):
    return _transformed(low, "rfft" if onesided else "fft", x, axes, _FORWARD[normalization])


@rule("aten._fft_c2c")
def _complex(low, node, x, axes: list[int], normalization: int, forward: bool):
    if forward:
        return _transformed(low, "fft", x, axes, _FORWARD[normalization])
    return _transformed(low, "ifft", x, axes, _FORWARD[::-1][normalization])


@rule("aten._fft_c2r")
def _to_real(low, node, x, axes: list[int], normalization: int, last: int):
    x = low.as_source(x)
    sizes = [x.shape[a] for a in axes[:-1]] + [last]
    return _transformed(low, "irfft", x, axes, _FORWARD[::-1][normalization], sizes)


def _transformed(low: Any, name: str, x: Any, axes: list[int], norm: str, sizes: list[int] | None = None):
    """A transform over several axes; more than three are done one after the other."""
    axes = [a % len(x.shape) for a in axes]
    options: dict[str, Any] = {} if norm == "backward" else {"norm": norm}
    if len(axes) == 1:
        size = {"n": sizes[0]} if sizes else {}
        return emitted(low, word(f"ops.{name}")(**size, axis=axes[0], **options), x)
    if len(axes) > 3:
        raise PortError(f"a transform over up to three axes, got {len(axes)}")
    size = {"s": tuple(sizes)} if sizes else {}
    return emitted(low, word(f"ops.{name}n")(**size, axes=tuple(axes), **options), x)


@rule("aten.view_as_real")
def _as_real(low, node, x):
    (x,) = plains(low, (x,))
    halves = [emitted(low, word(f"ops.{name}"), x, shape=x.shape) for name in ("real", "imag")]
    return emitted(low, word("stack_inputs")(axis=x.ndim), *halves)


@rule("aten.view_as_complex")
def _as_complex(low, node, x):
    (x,) = plains(low, (x,))
    axes = identity_axes(x.ndim - 1)
    halves = [low.emit(word("at")(f"..., {i}"), x, shape=x.shape[:-1], axes=axes) for i in (0, 1)]
    return emitted(low, word("ops.complex"), *halves)


@rule("aten.polar")
def _polar(low, node, size, angle):
    size, angle = plains(low, (size, angle))
    made = [emitted(low, word("multiply"), size, emitted(low, word(f"ops.{f}"), angle)) for f in ("cos", "sin")]
    return emitted(low, word("ops.complex"), *made)
