"""Fourier transforms."""

from __future__ import annotations

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.jax.registry import rule
from compose.port.frontends.jax.values import Value

_NAMES = {"FFT": "fft", "IFFT": "ifft", "RFFT": "rfft", "IRFFT": "irfft"}


@rule("jax.fft")
def _fft(low, eqn, x):
    if not isinstance(x, Value):
        raise PortError("a Fourier transform of a value")
    kind, lengths = str(getattr(eqn.params["fft_type"], "name", eqn.params["fft_type"])), eqn.params["fft_lengths"]
    name = _NAMES.get(kind.rpartition(".")[2]) or ("fft", "ifft", "rfft", "irfft")[int(eqn.params["fft_type"])]
    sizes, axes = tuple(map(int, lengths)), tuple(range(-len(lengths), 0))
    if len(sizes) == 1:
        options = {"n": sizes[0]} if name == "irfft" else {}
        return low.emit(word(f"ops.{name}")(**options) if options else word(f"ops.{name}"), x)
    options = {"axes": axes} | ({"s": sizes} if name == "irfft" else {})
    return low.emit(word(f"ops.{name}n")(**options), x)
