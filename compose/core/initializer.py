"""Initialisers as values: a registered function with its options, hashable and printable."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from compose.core.errors import ConfigError
from compose.core.registry import add_word, word


@dataclass(frozen=True)
class Options:
    """A function and the options it was given by name; what `Function` and `Initializer` share."""

    fn: Callable
    options: tuple[tuple[str, Any], ...] = ()

    def with_options(self, label: str, skip: int, given: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
        """The options after `given`, without those that equal the function's default, in its order.

        Raises `ConfigError` for an option that the function does not take.
        """
        signature = _signature(self.fn)
        known = {} if signature is None else dict(list(signature.parameters.items())[skip:])
        open_ended = signature is None or any(p.kind is p.VAR_KEYWORD for p in known.values())
        for name in given:
            if name not in known and not open_ended:
                takes = ", ".join(n for n, p in known.items() if p.kind is not p.VAR_POSITIONAL)
                raise ConfigError(f"an option that {label} takes ({takes or 'none'})", repr(name))
        merged = {**dict(self.options), **{k: _frozen(v) for k, v in given.items()}}
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
        """By its word: the function's name in its module is the initialiser."""
        return _restored, (self.fn.__name__, self.options)

    def draw(self, key, shape, dtype, fans):
        return self.fn(key, shape, dtype, fans, **dict(self.options))

    def source(self, write):
        if not self.options:
            return self.fn.__name__
        return write.call(self.fn.__name__, [(k, write.value(v)) for k, v in self.options])

    def __repr__(self) -> str:
        from compose.core.printing import source

        return source(self)


def initializer(fn: Callable) -> Initializer:
    """Register `fn(key, shape, dtype, fans, **options)` as an initialiser under its own name."""
    made = Initializer(fn)
    add_word(fn.__name__, made)
    return made


def _restored(name: str, options: tuple) -> Initializer:
    return word(name)(**dict(options))


def _signature(fn) -> inspect.Signature | None:
    try:
        return inspect.signature(fn)
    except (TypeError, ValueError):  # a built-in that has none
        return None


def _frozen(value):
    return tuple(_frozen(v) for v in value) if isinstance(value, list) else value
