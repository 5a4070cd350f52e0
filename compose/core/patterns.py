"""Patterns of paths, such as `"**/kernel"`: the one way to name several parameters.

`*` stands for any part of one name, `?` for one character, and `**` for any number of names, none too. So `"head/**"`
is everything in `head`, `"**/kernel"` every kernel, `"**"` everything, and `"block_*/fc/bias"` the biases of several
blocks.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any

import jax

from compose.core.errors import ConfigError


def matches(pattern: str, path: str) -> bool:
    """Whether a path such as `"block/e1/kernel"` fits the pattern.

    >>> matches("**/kernel", "kernel"), matches("head/**", "head/fc_0/bias"), matches("head/*", "head/fc_0/bias")
    (True, True, False)
    """
    return _compiled(pattern).fullmatch(path + "/") is not None


def paths(tree: Any) -> list[str]:
    """The path of each leaf of a tree of dicts, in the order of `jax.tree.leaves`."""
    return [_text(path) for path, _ in jax.tree_util.tree_leaves_with_path(tree)]


def chosen(rules: Mapping[str, Any], tree: Any, what: str, default: Any = None) -> Any:
    """The tree with, for each leaf, the value of the first pattern that its path fits; `default` if it fits none.

    Raises `ConfigError` for a pattern that is the first to fit no path; `what` names the rules in it.
    """
    used: set[str] = set()

    def value(path: Any, _: Any) -> Any:
        found = next((pattern for pattern in rules if matches(pattern, _text(path))), None)
        if found is None:
            return default
        used.add(found)
        return rules[found]

    result = jax.tree_util.tree_map_with_path(value, tree)
    for pattern in rules:
        if pattern not in used:
            raise _unused(pattern, rules, paths(tree), what)
    return result


def _unused(pattern: str, rules: Mapping[str, Any], known: list[str], what: str) -> ConfigError:
    shown = ", ".join(known[:6]) + (f" and {len(known) - 6} more" if len(known) > 6 else "")
    earlier = [other for other in rules if any(matches(other, p) and matches(pattern, p) for p in known)]
    if [other for other in earlier if other != pattern]:
        return ConfigError(
            f"patterns in {what} of which each is the first to fit some parameter", repr(pattern),
            f"the first pattern that fits counts, so write {pattern!r} before {earlier[0]!r}",
        )  # fmt: skip
    inside = [p for p in known if p.startswith(pattern.rstrip("/") + "/")]
    hint = f"{pattern.rstrip('/')}/** is everything in it" if inside else f"the paths are {shown}"
    return ConfigError(f"patterns in {what} that fit the path of a parameter", repr(pattern), hint)


def _text(path: Any) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")


@functools.lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    one = {"*": "[^/]*", "?": "[^/]"}
    parts = pattern.split("/")
    names = ("(?:[^/]+/)*" if p == "**" else "".join(one.get(c, re.escape(c)) for c in p) + "/" for p in parts)
    return re.compile("".join(names))
