"""Check optimizers that take a norm of each array against weights that are split or stacked in the port."""

from __future__ import annotations

from typing import Any

from compose.core.errors import ConfigError
from compose.port.ir.weights import WeightMap

_PER_ARRAY = ("Lamb", "LARS", "Adafactor", "Muon")


def check_per_array(weights: WeightMap, source: Any, kind: str) -> None:
    """Raise `ConfigError` if an optimizer takes a norm of each array and some array differs in the port.

    The blocks of a `repeat` are one stacked array; torch's `in_proj_weight` is split into three.
    """
    clips = getattr(source, "clipnorm", None)
    if kind not in _PER_ARRAY and not clips:
        return
    what = f"clipnorm={clips} takes" if kind not in _PER_ARRAY else f"{kind} takes"
    for record in weights:
        if record.tree != "params":
            continue
        if record.at:
            raise ConfigError(
                "weights that are one array each in both models",
                f"{record.target}, which stacks the blocks of a repeat",
                f"{what} a norm of each array: train p.unstacked(), whose blocks are separate",
            )
        if record.view.rows is not None or record.view.columns is not None:
            raise ConfigError(
                "weights that are one array each in both models",
                f"{record.target}, which is a part of {record.view.source}",
                f"{what} a norm of each array: use another optimizer",
            )
