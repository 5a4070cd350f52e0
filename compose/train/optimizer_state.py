"""An optimizer's state read from a file: arrays by path, to be given the optimizer's structure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax

from compose.core.errors import ConfigError


def by_path(opt_state: Any) -> dict[str, Any]:
    """The leaves of an optimizer's state by their paths."""
    return {jax.tree_util.keystr(p): leaf for p, leaf in jax.tree_util.tree_leaves_with_path(opt_state)}


@dataclass(frozen=True, eq=False)
class Stored:
    """An optimizer's state without its structure."""

    leaves: dict[str, Any]

    def into(self, like: Any) -> Any:
        """The state with the structure of `like`, an abstract state. Raises `ConfigError` if that is another."""
        wanted = by_path(like)
        for path, leaf in wanted.items():
            kept = self.leaves.get(path)
            if kept is None or kept.shape != leaf.shape or kept.dtype != leaf.dtype or len(wanted) != len(self.leaves):
                raise ConfigError(
                    "the optimizer whose state is in the file", f"one with another state, such as at {path}",
                    "give the optimizer, its options and freeze= as they were; or start from (params, state)",
                )  # fmt: skip
        return jax.tree.unflatten(jax.tree.structure(like), [self.leaves[path] for path in wanted])
