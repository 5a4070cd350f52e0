"""The layer: a frozen, hashable value that holds configuration and nothing else."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, dataclass_transform

from compose.core import fields
from compose.core.context import Context
from compose.core.errors import ConfigError
from compose.core.hooks import hooks
from compose.core.keywords import helps_with_keywords
from compose.core.layer_keywords import LAYER_KEYWORDS
from compose.core.methods import Liftable, Methods
from compose.core.registry import add_word, word

if TYPE_CHECKING:
    from compose.core.plan import Plan

T = TypeVar("T", bound=type)


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field,))
def layer(cls: T) -> T:
    """Make a class a layer: a frozen dataclass whose name is a word of the language."""
    layer_class: Any = unlisted(cls)
    add_word(layer_class.kind_of_class(), layer_class)
    return layer_class


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field,))
def unlisted(cls: T) -> T:
    """Make a class a layer that is not a word of the language: a part that another layer prints."""
    layer_class: Any = dataclass(frozen=True, repr=False, eq=False)(cls)
    layer_class.__init__ = helps_with_keywords(LAYER_KEYWORDS, cls.__name__)(layer_class.__init__)
    layer_class.__match_args__ = tuple(f.name for f in dataclasses.fields(layer_class))
    return layer_class


@dataclass(frozen=True, repr=False, eq=False)
class Layer(Methods):
    """The base of every layer: fields in, parameters and a pure function out.

    A layer overrides `params`, `forward` and, if it has state, `state`. Fields annotated `Layer` accept any
    function, fields annotated `Initializer` the name of any initializer; fields never hold arrays.

    Attributes:
        name: the key of this layer's parameters in its parent; None for its kind and a count, `fc_0`.
    """

    name: str | None = dataclasses.field(default=None, kw_only=True)

    starred: ClassVar[str | None] = None  # the field that takes the positional arguments, as in seq(*layers)
    draws: ClassVar[bool] = False  # whether forward calls ctx.rng()
    transparent: ClassVar[bool] = False  # its one child adds no key to the path: wrappers, repeat
    builds_layers: ClassVar[bool] = True  # whether an expression may call it
    refers: ClassVar[bool] = False  # refers to what an enclosing share() holds
    wordless: ClassVar[str] = ""  # how to make it printable, for a layer whose text does not parse
    apart: ClassVar[bool] = False  # computes each step of a sequence by itself, as far as it is known
    like_input: ClassVar[bool] = False  # the output of a float input has its shape and dtype: planned without a trace

    def __post_init__(self) -> None:
        fields.check(self)

    def fill(self, **values) -> None:
        """Set and check every field: for a custom `__init__`, such as one that gathers its positional arguments."""
        for name, value in values.items():
            object.__setattr__(self, name, value)
        self.__post_init__()

    def params(self, x) -> Any:
        """The parameters for an input like `x` (a `ShapeDtypeStruct`): pairs of a name and a `Param`, or a dict."""
        return {}

    def forward(self, p, x, ctx: Context) -> Any:
        """The output for input `x`, with the parameters `p`."""
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    # Overridden by combinators. A leaf with state is a `StatefulLayer`.

    def state(self, x) -> Any:
        """The state, which changes without a gradient, in the form of `params`."""
        return {}

    def call(self, params, state, x, ctx: Context) -> tuple[Any, Any]:
        """Run: the output and the new state."""
        if ctx.mask is not None:
            hooks.expect_no_padding(self, x, ctx)
        return self.forward(params, x, ctx), state

    def knows_mask(self, x) -> bool:
        """Whether it leaves out the padded steps of `x` itself, by `ctx.mask`."""
        return False

    def plan(self, x, scope: tuple = ()) -> Plan:
        """Infer shapes for an abstract input; see `compose.core.plan`."""
        return hooks.plan_leaf(self, x)

    # Structure, for editing, printing and naming.

    @classmethod
    def kind_of_class(cls) -> str:
        return cls.__name__

    @property
    def kind(self) -> str:
        """The first part of an unnamed layer's key, `fc` in `fc_0`."""
        return self.kind_of_class()

    @property
    def key_name(self) -> str | None:
        """The name its parent uses as its key; for a wrapper, the name of the layer inside."""
        return self.name

    def children(self) -> tuple[tuple[str, Layer], ...]:
        """The layers inside, each with its key."""
        named = ((name, getattr(self, name)) for name in fields.fields_of(type(self), Layer))
        return tuple((name, child) for name, child in named if child is not None)

    def walk(self) -> Iterator[tuple[str, Layer]]:
        """Every layer inside, outermost first, with its path."""
        return (("/".join(path), inner) for path, inner in walk(self))

    def with_children(self, layers: tuple[Layer, ...]) -> Layer:
        """A copy with other children, in the order of `children()`."""
        return self.but(**dict(zip((key for key, _ in self.children()), layers, strict=True)))

    def but(self, **changes: Any) -> Self:
        """A copy with other fields."""
        new = object.__new__(type(self))
        for f in dataclasses.fields(self):
            object.__setattr__(new, f.name, changes.pop(f.name) if f.name in changes else getattr(self, f.name))
        if changes:
            takes = ", ".join(f.name for f in dataclasses.fields(self))
            raise ConfigError(f"one of the fields {takes}", ", ".join(changes)).locate(self)
        object.__setattr__(new, "built_at", self.built_at)
        fields.check(new)
        return new

    built_at: ClassVar[str] = ""  # the user's file and line; set on the instance, not part of its value

    def __hash__(self) -> int:
        known = self.__dict__.get("_hash")
        if known is None:
            known = hash((type(self), *(getattr(self, f.name) for f in dataclasses.fields(self))))
            object.__setattr__(self, "_hash", known)
        return known

    def __getstate__(self) -> dict[str, Any]:
        """The fields and where it was built, without the hash: string hashes differ between processes."""
        return {k: v for k, v in self.__dict__.items() if k not in ("_hash", "_keys")}

    def __eq__(self, other) -> bool:
        if self is other:
            return True
        if type(self) is not type(other) or hash(self) != hash(other):
            return False
        return all(getattr(self, f.name) == getattr(other, f.name) for f in dataclasses.fields(self))

    def source(self, write) -> Any:
        """This layer as text, built with a `compose.core.printing.Writer`."""
        return write.fields(self)


class StatefulLayer(Layer):
    """A leaf whose state changes without a gradient: `forward(p, s, x, ctx) -> (y, s)`."""

    def forward(self, p, s, x, ctx: Context) -> tuple[Any, Any]:  # pyright: ignore[reportIncompatibleMethodOverride]
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def call(self, params, state, x, ctx: Context) -> tuple[Any, Any]:
        if ctx.mask is not None:
            hooks.expect_no_padding(self, x, ctx)
        return self.forward(params, state, x, ctx)


def as_layer(value: Liftable) -> Layer:
    """Convert to a layer: a layer itself, a layer class with its defaults, a function, or the name of one of these.

    Raises `ConfigError` for anything else.
    """
    if isinstance(value, Layer):
        return value
    if isinstance(value, type) and issubclass(value, Layer):
        try:
            return value()
        except TypeError as e:
            kind = value.kind_of_class()
            raise ConfigError(f"{kind} with its arguments, as in {kind}(...)") from e
    if isinstance(value, str):
        named = word(value)
        if isinstance(named, (Layer, type)):
            return as_layer(named)
    if callable(value):
        return hooks.lift(value)
    several = "give each as an argument of its own, as in compose_seq(*layers)"
    hint = several if isinstance(value, (list, tuple)) else ""
    raise ConfigError("a layer or a function", f"{type(value).__name__} {value!r}", hint)


fields.converts_to(Layer, as_layer)


def count_keys(layers: tuple[Layer, ...]) -> tuple[str, ...]:
    """The keys of siblings: a layer's name, or its kind and a count among the siblings."""
    counts: dict[str, int] = {}
    keys: list[str] = []
    for child in layers:
        n = counts.get(child.kind, 0)
        counts[child.kind] = n + 1
        keys.append(child.key_name or f"{child.kind}_{n}")
    return tuple(keys)


def keys_of(layers: tuple[Layer, ...]) -> tuple[str, ...]:
    """`count_keys`; raises `ConfigError` if two are equal."""
    keys = count_keys(layers)
    if len(set(keys)) != len(keys):
        twice = next(k for k in keys if keys.count(k) > 1)
        raise ConfigError(
            "names that differ among siblings", f"{keys.count(twice)} layers called {twice!r}", "rename one"
        )
    return keys


def walk(net: Layer, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Layer]]:
    """Every layer inside, outermost first, with its path."""
    yield path, net
    for key, child in net.children():
        yield from walk(child, path if net.transparent else (*path, key))
