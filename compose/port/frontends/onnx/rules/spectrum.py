"""Fourier transforms of values whose last axis holds real and imaginary parts."""

from __future__ import annotations

from typing import Any

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.onnx.registry import rule
from compose.port.frontends.onnx.rules.index import part_of
from compose.port.lowering.values import identity_axes


@rule("onnx.DFT")
def _dft(low, node, x, length=None, axis=None):
    x = low.as_source(low.value(x))
    at = (int(low.known(axis).item()) if axis is not None else node.get("axis", 1)) % x.ndim
    inverse, onesided = node.get("inverse", 0), node.get("onesided", 0)
    if inverse and onesided:
        raise PortError("an inverse transform of a whole spectrum, got onesided")
    name = "ops.rfft" if onesided else "ops.ifft" if inverse else "ops.fft"
    options: dict[str, Any] = {"axis": at} | ({} if length is None else {"n": int(low.known(length).item())})
    shape, axes, parts = low.shape[:-1], identity_axes(len(low.shape) - 1), []
    for i in range(x.shape[-1]):
        part = part_of(low, x, x.ndim - 1, i)
        made = low.emit(word(name)(**options), part, shape=shape, axes=axes)
        parts.append([low.emit(word(f"ops.{part}"), made, shape=shape) for part in ("real", "imag")])
    real, imaginary = parts[0]
    if len(parts) > 1:  # of i times the second part
        real = low.emit(word("subtract"), real, parts[1][1], shape=shape)
        imaginary = low.emit(word("add"), imaginary, parts[1][0], shape=shape)
    return low.emit(word("stack_inputs")(axis=-1), real, imaginary, axes=identity_axes(len(low.shape)))
