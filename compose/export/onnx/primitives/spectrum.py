"""Fourier transforms: ONNX has no complex numbers, so a complex value is its two parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jax.lax import FftType

from compose.export.errors import ExportError
from compose.export.onnx.registry import primitive


@dataclass(frozen=True, eq=False)
class Complex:
    """The real and the imaginary part of a value."""

    real: Any
    imag: Any

    @property
    def shape(self) -> tuple:
        return self.real.shape

    @property
    def ndim(self) -> int:
        return len(self.shape)

    dtype = np.dtype(np.complex64)


@primitive("fft")
def fft(writer, equation, x):
    kind, lengths = equation.params["fft_type"], equation.params["fft_lengths"]
    if len(lengths) != 1 or kind not in (FftType.RFFT, FftType.FFT):
        raise ExportError("a Fourier transform along the last axis", f"{kind} over {len(lengths)} axes")
    shape = equation.outvars[0].aval.shape
    if isinstance(x, Complex):
        parts = [writer.reshape(part, (*part.shape, 1)) for part in (x.real, x.imag)]
        joined = writer.node("Concat", *parts, axis=x.ndim, shape=(*x.shape, 2))
    else:
        joined = writer.reshape(x, (*x.shape, 1))
    y = writer.node(
        "DFT", joined, None, np.int64(len(shape) - 1), shape=(*shape, 2), onesided=int(kind == FftType.RFFT)
    )
    real, imag = (writer.slice(y, [i], [i + 1], axes=[len(shape)]) for i in (0, 1))
    return Complex(writer.reshape(real, shape), writer.reshape(imag, shape))


@primitive("real")
def real(writer, equation, z):
    return z.real if isinstance(z, Complex) else z


@primitive("imag")
def imag(writer, equation, z):
    return z.imag


@primitive("abs")
def magnitude(writer, equation, z):
    if not isinstance(z, Complex):
        return writer.node("Abs", z)
    return writer.node("Sqrt", writer.node("Add", *(writer.node("Mul", part, part) for part in (z.real, z.imag))))


@primitive("complex")
def complex_(writer, equation, a, b):
    return Complex(a, b)
