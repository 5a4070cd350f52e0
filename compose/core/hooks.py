"""The functions behind a layer's methods, so that `Layer` need not import what is built on it.

`net.init` is a function of `compose.core.run`, `net.summary` one of `compose.summary`. A module of the core or of
the combinators fills its hooks when it is imported; `compose/__init__.py` names the modules that load on first use.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from compose.core.layer import Layer
    from compose.core.plan import Plan


class Hooks:
    """One attribute for each function; reading one that nothing has filled raises `AttributeError`."""

    # compose.core.plan, compose.core.function, compose.core.printing
    plan_leaf: Callable[[Layer, Any], Plan]
    lift: Callable[[Callable], Layer]
    source: Callable[[Any], str]
    # compose.core.padding
    expect_no_padding: Callable[[Layer, Any, Any], None]
    # compose.core.run
    init: Callable[..., tuple[dict[str, Any], dict[str, Any]]]
    apply: Callable[..., tuple[Any, Any]]
    intermediates: Callable[..., dict[str, Any]]
    out: Callable[..., Any]
    call: Callable[..., Any]
    # compose.core.editing
    select: Callable[[Layer, int | str | slice], Layer]
    replace: Callable[[Layer, str, Any], Layer]
    map: Callable[[Layer, Callable[[str, Layer], Any]], Layer]
    trainable: Callable[[Layer, Any], Any]
    # compose.combinators
    chain: Callable[[Any, Any], Layer]
    join: Callable[[str, Any, Any], Layer]
    # loaded on first use
    summary: Callable[..., Any]
    profile: Callable[..., Any]
    diagram: Callable[..., Any]
    html: Callable[[Layer], str]
    fit: Callable[..., Any]
    report: Callable[..., Any]
    export: Callable[..., Any]

    def __init__(self) -> None:
        self._loaders: dict[str, Callable[[], Callable]] = {}

    def later(self, **loaders: Callable[[], Callable]) -> None:
        """Fill hooks on first use: each loader imports the function and returns it."""
        self._loaders.update(loaders)

    def __getattr__(self, name: str) -> Any:
        loader = self.__dict__.get("_loaders", {}).get(name)
        if loader is None:
            raise AttributeError(f"no module has filled the hook {name!r}")
        setattr(self, name, loader())
        return self.__dict__[name]


hooks = Hooks()
