"""Functions as layers: any function of arrays, with options given by name."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from inspect import Parameter, Signature
from typing import Any, Protocol, overload

import jax.numpy as jnp

from compose.core.errors import ConfigError, DtypeError
from compose.core.hooks import hooks
from compose.core.initializer import Options, is_option, signature_of
from compose.core.layer import Layer, layer
from compose.core.padding import has_steps
from compose.core.registry import add_word, alias_of, known, word


class _CallSignature:
    """`Function.__signature__`: the arrays in order, then the options by name with their current values."""

    def __get__(self, function: Function | None, owner: type | None = None) -> Signature:
        signature = None if function is None else signature_of(function.fn)
        if function is None or signature is None:
            raise AttributeError("__signature__")
        options = dict(function.options)
        first, *rest = signature.parameters.values() or [Parameter("x", Parameter.POSITIONAL_OR_KEYWORD)]
        arrays = [first, *(p for p in rest if not is_option(p) and p.kind is not p.VAR_KEYWORD)]
        named = [p.replace(kind=p.KEYWORD_ONLY, default=options.get(p.name, p.default)) for p in rest if is_option(p)]
        name = Parameter("name", Parameter.KEYWORD_ONLY, default=function.name, annotation="str | None")
        open_ended = [p for p in rest if p.kind is p.VAR_KEYWORD]
        return Signature([*arrays, *named, name, *open_ended])


@dataclass(frozen=True, repr=False, eq=False)
class Function(Layer, Options):  # pyright: ignore[reportIncompatibleVariableOverride, reportGeneralTypeIssues]
    """`fn(x, **options)`, or `fn(*x, **options)` where the input is a tuple.

    Called with options it returns a copy that has them (`softmax(axis=1)`); called with arrays it computes,
    and called on the values of a `graph` it becomes a step.
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
        """Pickle by name if registered."""
        return (_restored, (self.word_name, self.options, self.name)) if self.registered else super().__reduce__()

    def forward(self, p, x, ctx):
        args = x if isinstance(x, tuple) else (x,)
        if self.floats_only and not _inexact(args[0]):
            raise DtypeError("a floating-point input", f"{args[0].dtype}", "cast or scale the data first")
        if ctx.mask is not None and self.knows_mask(x) and has_steps(x, ctx.mask):
            y = _UNDER_MASK[self.fn](x, ctx.mask, **dict(self.options))
        else:
            y = self.compute(args)
        if ctx.on_function is not None:
            ctx.on_function(self, x, y)
        return y

    def knows_mask(self, x):
        return self.fn in _UNDER_MASK and not isinstance(x, tuple) and not dict(self.options).get("channels_first")

    def compute(self, inputs: tuple) -> Any:
        return self.fn(*inputs, **dict(self.options))

    __signature__ = _CallSignature()

    def __get__(self, instance: Any, owner: type | None = None) -> Function:
        """Itself, without binding; since it has `__get__`, `help` documents it as a function."""
        return self

    def __call__(self, *xs, name: str | None = None, **options):
        if any(isinstance(x, (bool, int, float, str)) for x in xs):
            raise self._positional(xs[0])
        configured = self
        if options:
            configured = self.but(options=self.with_options(self.kind, 1, options))
        if name is not None:
            configured = configured.but(name=name)
        return super(Function, configured).__call__(*xs) if xs else configured

    def _positional(self, value: Any) -> ConfigError:
        """The error for an option without its name, as in `leaky_relu(0.1)`."""
        signature = signature_of(self.fn)
        parameters = list(signature.parameters.values())[1:] if signature else []
        names = [p.name for p in parameters if is_option(p)]
        expected = f"{self.kind} without a number, since it takes no options"
        if names:
            others = f" (it takes {', '.join(names)})" if len(names) > 1 else ""
            expected = f"options by name, as in {self.kind}({names[0]}={value!r}){others}"
        return ConfigError(expected, f"{self.kind}({value!r})")

    def source(self, write):
        named = [(k, write.value(v)) for k, v in self.options]
        named += [("name", write.value(self.name))] if self.name else []
        return write.call(self.word_name, named) if named else self.word_name


_UNDER_MASK: dict[Callable, Callable] = {}


def under_mask(of: Function) -> Callable[[Callable], Callable]:
    """Say what a function layer computes on a sequence under a mask: `fn(x, mask, **options)`."""

    def add(fn: Callable) -> Callable:
        _UNDER_MASK[of.fn] = fn
        return fn

    return add


@overload
def function(fn: Callable) -> Function: ...
@overload
def function(*, also: tuple = (), floats: bool = False, like_input: bool = False) -> Callable[[Callable], Function]: ...
def function(fn: Callable | None = None, *, also: tuple = (), floats: bool = False, like_input: bool = False) -> Any:
    """Register a function of arrays as a layer under its own name.

    Args:
        fn: `fn(x, **options)`; the layer takes its docstring.
        also: other functions that mean this layer, such as `jnp.tanh`.
        floats: raise for integer inputs.
        like_input: the output has the shape and dtype of a floating-point input, so planning need not trace it.
    """
    if fn is None:
        return functools.partial(function, also=also, floats=floats, like_input=like_input)
    registered = Function(fn, floats_only=floats, like_input=like_input)
    object.__setattr__(registered, "__doc__", fn.__doc__)
    object.__setattr__(registered, "__name__", fn.__name__)
    add_word(fn.__name__, registered, *also)
    return registered


def lift(fn: Callable) -> Function:
    """The layer of a function: the registered one for an alias, with the keywords of a `partial` as options."""
    registered = alias_of(fn)
    if isinstance(registered, Function):
        return registered
    if isinstance(fn, functools.partial) and not fn.args:
        return lift(fn.func)(**fn.keywords)
    name = getattr(fn, "__name__", "")
    if known(name) and getattr(word(name), "fn", None) is fn:
        return word(name)
    return Function(fn)


hooks.lift = lift


class Registers(Protocol):
    """`function` with some options set: a decorator, alone or with aliases."""

    @overload
    def __call__(self, fn: Callable, /) -> Function: ...
    @overload
    def __call__(self, *, also: tuple) -> Callable[[Callable], Function]: ...


def register(target: Any) -> Any:
    """Add a custom function or layer to the language, so that it prints, parses and saves by its name.

    >>> import compose
    >>> @compose.register
    ... def swish2(x, beta=2.0):
    ...     return x * compose.sigmoid(beta * x)
    >>> compose.parse("fc(3, swish2(beta=3.0))")
    fc(3, swish2(beta=3.0))

    Raises `ConfigError` if the name is taken.
    """
    if isinstance(target, type) and issubclass(target, Layer):
        return target if "__match_args__" in vars(target) and known(target.kind_of_class()) else layer(target)
    if callable(target):
        return function(target)
    raise ConfigError("a function or a Layer class", repr(target))


def _restored(name: str, options: tuple, layer_name: str | None) -> Function:
    registered = word(name)
    return registered(name=layer_name, **dict(options)) if options or layer_name else registered


def _inexact(x) -> bool:
    return jnp.issubdtype(jnp.result_type(x), jnp.inexact)
