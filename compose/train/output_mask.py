"""The mask that an output of a network is under: the steps that `masked` found to be padding."""

from __future__ import annotations

from typing import Any

from compose.combinators.steps import masked
from compose.core.errors import ConfigError, shape_text
from compose.core.layer import walk
from compose.core.padding import steps_apart
from compose.train.logits import Outputs


def output_mask(outputs: Outputs, decided: bool = False) -> Any:
    """A boolean `(batch, time)` for an output `(batch, time, ...)` within `masked(...)`, or with only layers behind it
    that compute each step by itself; None if there is none.

    Raises `ConfigError` if the network masks such steps but it cannot be told whether the output's are among them,
    unless that is `decided` otherwise, by weights or an ignored label.
    """
    y = outputs.inner
    if not hasattr(y, "shape") or y.ndim < 3:
        return None
    masks = [mask for mask in map(_inside, outputs.layers) if mask is not None]
    found = _followed(y, outputs) if masks else None
    if found is not None and found.shape == y.shape[:2]:
        return found
    hidden = not masks and any(isinstance(layer, masked) for _, layer in walk(outputs.layers[-1].layer))
    if found is None and not decided and (hidden or any(mask.shape == y.shape[:2] for mask in masks)):
        raise ConfigError(
            "masked(...) around all layers up to the output, so that padded steps are left out of the loss",
            f"an output {shape_text(y)} for which it cannot be told which steps are padding",
            "or say which steps count by sample_weight of shape (n, time), or by ignore_label",
        )
    return None


def _inside(call: Any) -> Any:
    """The mask under which a call's output is."""
    return call.layer.mask(call.x, call.ctx) if isinstance(call.layer, masked) else call.ctx.mask


def _followed(y: Any, outputs: Outputs) -> Any:
    """The mask of an array, followed back through layers that compute each step by itself."""
    while True:
        made = [call for call in outputs.layers if call.y is y]
        found = next((mask for mask in map(_inside, made) if mask is not None), None)
        before = next((call.x for call in made if hasattr(call.x, "shape") and _apart(call)), None)
        if found is not None or before is None or before is y:
            return found
        y = before


def _apart(call: Any) -> bool:
    return call.x.ndim > 2 and steps_apart(call.layer, call.x, call.x.shape[1])
