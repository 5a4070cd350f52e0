"""Functions are layers: any function of arrays, with options given by name."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from compose.core.errors import ConfigError, DtypeError
from compose.core.initializer import Options
from compose.core.layer import Layer
from compose.core.registry import add_word, alias_of, known, word


@dataclass(frozen=True, repr=False, eq=False)
class Function(Layer, Options):  # pyright: ignore[reportIncompatibleVariableOverride, reportGeneralTypeIssues]
    """`fn(x, **options)`, or `fn(*x, **options)` where the input is a tuple.

    Called with options it is a copy that has them (`softmax(axis=1)`); called with arrays it computes,
    and inside `graph` it becomes a step.
    """

    fn: Callable = lambda x: x
    options: tuple[tuple[str, Any], ...] = ()
    floats_only: bool = False
    like_input: bool = False  # pyright: ignore[reportIncompatibleVariableOverride]

    @property
    def word_name(self) -> str:
        return getattr(self.fn, "__name__", type(self.fn).__name__)

    @property
    def registered(self) -> bool:
        return known(self.word_name) and getattr(word(self.word_name), "fn", None) is self.fn

    @property
    def kind(self) -> str:
        return self.word_name.strip("<>")

    def __reduce__(self):
        """By its word, where it has one: the function's name in its module is the layer."""
        return (_restored, (self.word_name, self.options, self.name)) if self.registered else super().__reduce__()

    def forward(self, p, x, ctx):
        args = x if isinstance(x, tuple) else (x,)
        if self.floats_only and not _inexact(args[0]):
            raise DtypeError("a floating-point input", f"{args[0].dtype}", "cast or scale the data first")
        y = self.fn(*args, **dict(self.options))
        if ctx.watch is not None:
            ctx.watch.append((self, x, y))
        return y

    def __call__(self, *xs, name: str | None = None, **options):
        if any(isinstance(x, (bool, int, float, str)) for x in xs):
            first = xs[0]
            raise ConfigError(f"options by name, as in {self.kind}(axis={first!r})", f"{self.kind}({first!r})")
        configured = self
        if options:
            configured = self.but(options=self.with_options(self.kind, 1, options))
        if name is not None:
            configured = configured.but(name=name)
        return super(Function, configured).__call__(*xs) if xs else configured

    def source(self, write):
        named = [(k, write.value(v)) for k, v in self.options]
        named += [("name", write.value(self.name))] if self.name else []
        return write.call(self.word_name, named) if named else self.word_name


def function(fn: Callable | None = None, *, also: tuple = (), floats: bool = False, like_input: bool = False) -> Any:
    """Register a function of arrays as a layer under its own name.

    Args:
        fn: `fn(x, **options)`; its docstring becomes the word's.
        also: other functions that lift to this word, such as `jnp.tanh`.
        floats: refuse integer inputs.
        like_input: a floating-point input comes out in its own shape and dtype, so that no plan need trace it.
    """
    if fn is None:
        return functools.partial(function, also=also, floats=floats, like_input=like_input)
    made = Function(fn, floats_only=floats, like_input=like_input)
    object.__setattr__(made, "__doc__", fn.__doc__)
    object.__setattr__(made, "__name__", fn.__name__)
    add_word(fn.__name__, made, *also)
    return made


def lift(fn: Callable) -> Function:
    """The layer of a function: the registered one where it is an alias, a `partial`'s options by name."""
    found = alias_of(fn)
    if isinstance(found, Function):
        return found
    if isinstance(fn, functools.partial) and not fn.args:
        return lift(fn.func)(**fn.keywords)
    name = getattr(fn, "__name__", "")
    if known(name) and getattr(word(name), "fn", None) is fn:
        return word(name)
    return Function(fn)


def register(target: Any) -> Any:
    """Add an own function or layer to the language, so that it prints, parses and saves by its name.

    >>> import compose
    >>> @compose.register
    ... def swish2(x, beta=2.0):
    ...     return x * compose.sigmoid(beta * x)
    >>> compose.parse("fc(3, swish2(beta=3.0))")
    fc(3, swish2(beta=3.0))

    Raises `ConfigError` if the name is taken.
    """
    if isinstance(target, type) and issubclass(target, Layer):
        from compose.core.layer import layer

        return target if "__match_args__" in vars(target) and known(target.kind_of_class()) else layer(target)
    if callable(target):
        return function(target)
    raise ConfigError("a function or a Layer class", repr(target))


def _restored(name: str, options: tuple, layer_name: str | None) -> Function:
    found = word(name)
    return found(name=layer_name, **dict(options)) if options or layer_name else found


def _inexact(x) -> bool:
    import jax.numpy as jnp

    return jnp.issubdtype(jnp.result_type(x), jnp.inexact)
