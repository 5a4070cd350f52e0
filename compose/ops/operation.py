"""A function of JAX as a layer, by JAX's own signature."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from inspect import Parameter
from typing import Any

import jax.numpy as jnp

from compose.core.errors import ConfigError, ShapeError, shape_text
from compose.core.function import Function
from compose.ops.values import option_value

_NUMBERS = (bool, int, float, str)


class _Signature:
    """JAX's signature, of an operation and not of the class."""

    def __get__(self, op: Operation | None, owner: type | None = None) -> inspect.Signature:
        if op is None:
            raise AttributeError("__signature__")
        return signature_of(op.fn)


class Operation(Function):
    """A function of `jax.numpy` and its neighbours, with options by JAX's names.

    The inputs take the arguments that no option takes, in order; several are a tuple. Any argument can be an
    option, positional ones too: `ops.maximum(y=0.0)` is `jnp.maximum(x, 0.0)`.
    """

    of_a_list: bool  # no field, since it follows from `fn`

    @property
    def word_name(self) -> str:
        return f"ops.{self.kind}"

    @property
    def kind(self) -> str:
        return self.__dict__.get("__name__") or self.fn.__name__

    __signature__ = _Signature()

    def but(self, **changes):
        new = super().but(**changes)
        for attribute in ("__name__", "__doc__", "of_a_list"):
            object.__setattr__(new, attribute, getattr(self, attribute))
        return new

    def compute(self, inputs: tuple) -> Any:
        positional, named = self._arguments([list(inputs)] if self.of_a_list else list(inputs), inputs)
        y = self.fn(*positional, **named)
        if isinstance(y, int):  # `jnp.size`
            return jnp.asarray(y)
        return tuple(y) if isinstance(y, (tuple, list)) else y

    def __call__(self, *xs, name: str | None = None, **options):
        """The operation with options, its value on arrays, or a step of a graph; numbers among values are options."""
        arrays = [x for x in xs if not isinstance(x, _NUMBERS)]
        if len(arrays) < len(xs):
            positional = [n for n, p in _parameters(self.fn).items() if p.kind in _POSITIONAL]
            numbers = {n: x for n, x in zip(positional, xs) if isinstance(x, _NUMBERS)}
            if not arrays or len(arrays) + len(numbers) < len(xs):
                example = f"{self.word_name}({list(_parameters(self.fn))[:2][-1]}={xs[0]!r})"
                raise ConfigError(
                    f"options by name, as in {example} (it takes {self._takes()})", f"{self.word_name}({xs[0]!r})"
                )
            options = {**numbers, **options}
        return super().__call__(*arrays, name=name, **options)

    def with_options(self, label: str, skip: int, changes: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
        """The options updated with `changes`, in the order of the signature, without those that equal its defaults.

        Raises `ConfigError` for an option that the function does not take, or a value that cannot be one.
        """
        known = _parameters(self.fn)
        merged = dict(self.options)
        for name, value in changes.items():
            if name not in known or known[name].kind in _OPEN:
                raise ConfigError(f"an option that {self.word_name} takes ({self._takes()})", repr(name))
            merged[name] = option_value(self.word_name, name, value)
        order = list(known)
        kept = [(n, v) for n, v in merged.items() if not _same(known[n].default, v)]
        return tuple(sorted(kept, key=lambda item: order.index(item[0])))

    def _takes(self) -> str:
        return ", ".join(n for n, p in _parameters(self.fn).items() if p.kind not in _OPEN)

    def _arguments(self, inputs: list, x: Any) -> tuple[list, dict[str, Any]]:
        """The arguments by position and by name. Raises `ShapeError` where the inputs are too many or too few."""
        named, positional, count = dict(self.options), [], len(inputs)
        for name, p in _parameters(self.fn).items():
            if p.kind is Parameter.VAR_POSITIONAL:
                positional, inputs = positional + inputs, []
            if p.kind not in _POSITIONAL:
                break
            if name in named and (inputs or p.kind is Parameter.POSITIONAL_ONLY):
                positional.append(named.pop(name))
            elif inputs:
                positional.append(inputs.pop(0))
            elif p.kind is Parameter.POSITIONAL_ONLY and p.default is not Parameter.empty:
                positional.append(p.default)
            else:
                break
        try:
            signature_of(self.fn).bind(*positional, *inputs, **named)
        except TypeError as e:
            got = f"{count} input{'s' * (count != 1)} {shape_text(x)}: {e}"
            raise ShapeError(f"inputs and options for {self.kind}({self._takes()})", got) from None
        return positional, named


_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
_OPEN = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


@functools.cache
def signature_of(fn: Callable) -> inspect.Signature:
    """JAX's signature; that of a `jnp.ufunc`, which is `*args`, with the names that other functions of JAX have."""
    inputs = getattr(fn, "nin", None)
    if inputs is None:
        return inspect.signature(fn)
    return inspect.Signature([Parameter(name, Parameter.POSITIONAL_ONLY) for name in "xyz"[:inputs]])


def _parameters(fn: Callable) -> Mapping[str, Parameter]:
    return signature_of(fn).parameters


def _same(default: Any, value: Any) -> bool:
    return type(default) is type(value) and default == value


def operation(name: str, fn: Callable, like_input: bool, of_a_list: bool) -> Operation:
    """The operation `ops.name`, with the docstring of `fn`."""
    op = object.__new__(Operation)  # without the checks of fields, which 300 of them would pay at import
    fields = {"fn": fn, "options": (), "floats_only": False, "like_input": like_input, "name": None}
    for attribute, value in {**fields, "of_a_list": of_a_list, "__name__": name, "__doc__": fn.__doc__}.items():
        object.__setattr__(op, attribute, value)
    return op
