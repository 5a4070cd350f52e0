"""The names of a network's outputs: those of the layers that they come from."""

from __future__ import annotations

from collections import Counter
from typing import Any

import jax

from compose.train.logits import Outputs


def output_names(outputs: Outputs) -> tuple[str, ...]:
    """A name for each leaf of the output, in order; empty if the network has one output.

    A dict's keys; for a tuple, the keys of the layers that made its parts, as in `branch(fc(1, name="age"), ...)`, or
    `output_0` where none is known or two are the same.
    """
    value: Any = outputs.inner
    if hasattr(value, "shape"):
        return ()
    if isinstance(value, dict) and all(hasattr(part, "shape") for part in value.values()):
        return tuple(str(key) for key in sorted(value))
    leaves = jax.tree.leaves(value)
    names = [_made_by(leaf, outputs) for leaf in leaves]
    counts = Counter(names)
    return tuple(name if name and counts[name] == 1 else f"output_{i}" for i, name in enumerate(names))


def _made_by(leaf: Any, outputs: Outputs) -> str:
    """The key of the outermost layer whose output this is."""
    paths = [call.ctx.path for call in outputs.layers if call.y is leaf and call.ctx.path]
    return min(paths, key=len)[-1] if paths else ""
