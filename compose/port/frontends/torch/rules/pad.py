"""Padding, and cropping by negative widths."""

from __future__ import annotations

from typing import Any

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.torch.plain import emitted
from compose.port.frontends.torch.registry import rules
from compose.port.lowering.values import identity_axes
from compose.port.lowering.windows import padded_axes


@rules("aten.pad", "aten.constant_pad_nd")
def _pad(low, node, x, padding, mode: Any = "constant", value=None):
    if not isinstance(mode, str):  # of `constant_pad_nd`, which has a value there
        mode, value = "constant", mode
    widths = {x.ndim - 1 - i: tuple(padding[2 * i : 2 * i + 2]) for i in range(len(padding) // 2)}
    if any(w < 0 for w in padding):
        return _cropped(low, node, x, widths, mode, value)
    everywhere = all(any(widths.get(a, ())) for a in range(1, x.ndim))
    if value and everywhere and x.ndim > 1 and not any(widths.get(0, ())):  # `pad` leaves the last axis as it is
        last = (*x.shape, 1)
        x = low.emit(word("ops.expand_dims")(axis=-1), low.as_source(x), shape=last, axes=identity_axes(len(last)))
        around = tuple(widths[a] for a in range(1, len(last) - 1))
        x = low.emit(word("pad")(around, value=float(value)), x, shape=(*low.shape, 1))
        return low.emit(word("ops.squeeze")(axis=-1), x, axes=identity_axes(len(low.shape)))
    if any(widths.get(0, ())) or everywhere:
        if value:
            raise PortError(f"padding of the batch's axis with zeros, got {value}")
        pads = {"pad_width": tuple(widths.get(a, (0, 0)) for a in range(x.ndim)), **_pad_mode(mode, None)}
        return emitted(low, word("ops.pad")(**pads), x)
    x, around = padded_axes(low, low.whole(x), widths)
    return low.emit(word("pad")(around, **_pad_mode(mode, value)), x) if around else x


def _cropped(low, node, x, widths: dict[int, tuple[int, int]], mode: str, value: Any):
    """Negative widths cut, those above zero pad; torch pads first."""
    if mode != "constant":
        raise PortError(f"widths of at least 0 for padding by {mode!r}")
    x, shape = low.whole(x), low.shape
    texts = [":"] * x.ndim
    for axis, (before, after) in widths.items():
        if min(before, after) < 0:
            texts[x.axis(axis)] = f"{max(-before, 0) or ''}:{min(after, 0) or ''}"
    cut = tuple(n + sum(min(w, 0) for w in widths.get(a, ())) for a, n in enumerate(x.shape))
    x = low.emit(word("at")(", ".join(texts)), x, shape=cut)
    rest = [max(w, 0) for a in range(x.ndim - 1, x.ndim - 1 - len(widths), -1) for w in widths[a]]
    return x if cut == shape else _pad(low, node, x, rest, mode, value)


def _pad_mode(mode: str, value: Any) -> dict[str, Any]:
    name = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}[mode]
    return {**({} if name == "constant" else {"mode": name}), **({"value": float(value)} if value else {})}
