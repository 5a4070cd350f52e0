"""Initializers as values: a registered function with its options, hashable and printable."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from compose.core import fields
from compose.core.errors import ConfigError
from compose.core.hooks import hooks
from compose.core.registry import add_word, known, word


@dataclass(frozen=True)
class Options:
    """A function and the options it was given by name: the base of `Function` and `Initializer`."""

    fn: Callable
    options: tuple[tuple[str, Any], ...] = ()

    def with_options(self, label: str, skip: int, changes: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
        """The options updated with `changes`, without those equal to the function's defaults, in its order.

        `skip` is how many leading parameters of the function are arrays. Raises `ConfigError` for an option that
        the function does not take.
        """
        signature = signature_of(self.fn)
        known = {} if signature is None else dict(list(signature.parameters.items())[skip:])
        open_ended = signature is None or any(p.kind is p.VAR_KEYWORD for p in known.values())
        for name in changes:
            if name not in known and not open_ended:
                takes = ", ".join(n for n, p in known.items() if is_option(p))
                raise ConfigError(f"an option that {label} takes ({takes or 'none'})", repr(name))
        merged = {**dict(self.options), **{k: _frozen(v) for k, v in changes.items()}}
        order = {name: i for i, name in enumerate(known)}
        kept = [(k, v) for k, v in merged.items() if k not in known or known[k].default != v]
        return tuple(sorted(kept, key=lambda kv: order.get(kv[0], len(order))))


@dataclass(frozen=True)
class Initializer(Options):
    """Draws the first value of a parameter: `fn(key, shape, dtype, fans, **options)`.

    Called with options it returns a copy that has them: `normal(stddev=0.02)`.
    """

    def __call__(self, **options) -> Initializer:
        return Initializer(self.fn, self.with_options(self.fn.__name__, 4, options))

    def __reduce__(self):
        """Pickle by name."""
        return _restored, (self.fn.__name__, self.options)

    def draw(self, key, shape, dtype, fans):
        return self.fn(key, shape, dtype, fans, **dict(self.options))

    def source(self, write):
        if not self.options:
            return self.fn.__name__
        return write.call(self.fn.__name__, [(k, write.value(v)) for k, v in self.options])

    def __repr__(self) -> str:
        return hooks.source(self)


def initializer(fn: Callable) -> Initializer:
    """Register `fn(key, shape, dtype, fans, **options)` as an initializer under its own name."""
    init = Initializer(fn)
    add_word(fn.__name__, init)
    return init


def _restored(name: str, options: tuple) -> Initializer:
    return word(name)(**dict(options))


def _as_initializer(value: Any) -> Any:
    """What a field annotated `Initializer` takes: one, or the name of one."""
    if isinstance(value, str) and known(value):
        value = word(value)
    return value if isinstance(value, Initializer) else fields.MISFIT


fields.converts_to(Initializer, _as_initializer)


def signature_of(fn: Callable) -> inspect.Signature | None:
    """The signature of a function, or None for a built-in without one."""
    try:
        return inspect.signature(fn)
    except (TypeError, ValueError):
        return None


def is_option(parameter: inspect.Parameter) -> bool:
    """Whether a parameter of a function of arrays is an option: keyword-only, with a default, or annotated otherwise
    than as an array."""
    if parameter.kind is not parameter.POSITIONAL_OR_KEYWORD:
        return parameter.kind is parameter.KEYWORD_ONLY
    annotated = parameter.annotation is not parameter.empty and "Array" not in str(parameter.annotation)
    return annotated or parameter.default is not parameter.empty


def _frozen(value):
    return tuple(_frozen(v) for v in value) if isinstance(value, list) else value
