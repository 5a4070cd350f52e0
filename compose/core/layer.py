"""The layer: a frozen, hashable value of configuration alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar, dataclass_transform

from compose.core import fields
from compose.core.context import Context
from compose.core.errors import ConfigError
from compose.core.methods import Methods
from compose.core.registry import add_word, word

T = TypeVar("T", bound=type)


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field,))
def layer(cls: T) -> T:
    """Make a class a layer: a frozen dataclass whose name is a word of the language."""
    made: Any = unlisted(cls)
    add_word(made.kind_of_class(), made)
    return made


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field,))
def unlisted(cls: T) -> T:
    """Make a class a layer that no expression can name: a part that another layer's text stands for."""
    made: Any = dataclass(frozen=True, repr=False, eq=False)(cls)
    made.__match_args__ = tuple(f.name for f in dataclasses.fields(made))
    return made


@dataclass(frozen=True, repr=False, eq=False)
class Layer(Methods):
    """The base of every layer: fields in, parameters and a pure function out.

    A layer overrides `params`, perhaps `state`, and `forward`. Fields annotated `Layer` take any function
    and fields annotated `Initializer` any initialiser's name; both hold values, never arrays.

    Attributes:
        name: the key of this layer's parameters in its parent; None counts the layers of its kind.
    """

    name: str | None = dataclasses.field(default=None, kw_only=True)

    starred: ClassVar[str | None] = None  # the field that takes the positional arguments, as in seq(*layers)
    draws: ClassVar[bool] = False  # whether forward calls ctx.rng()
    transparent: ClassVar[bool] = False  # its one child adds no key to the path: wrappers, repeat
    builds_layers: ClassVar[bool] = True  # what an expression may call
    refers: ClassVar[bool] = False  # stands for something that an enclosing share() holds
    wordless: ClassVar[str] = ""  # what to do to give it a text, where it has none that reads back
    like_input: ClassVar[bool] = False  # a float input comes out in its own shape and dtype: planned without a trace

    def __post_init__(self) -> None:
        fields.check(self)

    def fill(self, **values) -> None:
        """Set and check every field: for an `__init__` of one's own, where positional arguments make one field."""
        for name, value in values.items():
            object.__setattr__(self, name, value)
        self.__post_init__()

    def params(self, x) -> Any:
        """The parameters for an input like `x` (a `ShapeDtypeStruct`): pairs or a dict of name and `Param`."""
        return {}

    def forward(self, p, x, ctx: Context) -> Any:
        """The output for input `x`, with the parameters `p`."""
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    # What combinators override. A leaf with state is a `StatefulLayer`.

    def state(self, x) -> Any:
        """What changes without a gradient, in the form of `params`."""
        return {}

    def call(self, params, state, x, ctx: Context) -> tuple[Any, Any]:
        """Run: the output and the state after it."""
        return self.forward(params, x, ctx), state

    def plan(self, x, scope: tuple = ()):
        """Infer shapes for an abstract input; see `compose.core.plan`."""
        from compose.core.plan import plan_leaf

        return plan_leaf(self, x)

    # Structure: what editing, printing and naming stand on.

    @classmethod
    def kind_of_class(cls) -> str:
        return cls.__name__

    @property
    def kind(self) -> str:
        """What the key of an unnamed layer counts."""
        return self.kind_of_class()

    @property
    def key_name(self) -> str | None:
        """The name that its parent files it under; wrappers answer with their inner layer's."""
        return self.name

    def children(self) -> tuple[tuple[str, Layer], ...]:
        """The layers inside, each with its key."""
        return tuple(
            (name, getattr(self, name)) for name in fields.layer_fields(type(self)) if getattr(self, name) is not None
        )

    def with_children(self, layers: tuple[Layer, ...]) -> Layer:
        """The same layer around other children, in the order of `children()`."""
        return self.but(**dict(zip((key for key, _ in self.children()), layers, strict=True)))

    def but(self, **changes):
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

    built_at: ClassVar[str] = ""  # the user's file and line; shadowed on the instance, no part of its value

    def __hash__(self) -> int:
        known = self.__dict__.get("_hash")
        if known is None:
            known = hash((type(self), *(getattr(self, f.name) for f in dataclasses.fields(self))))
            object.__setattr__(self, "_hash", known)
        return known

    def __getstate__(self) -> dict[str, Any]:
        """The fields and where it was built, but no hash: another process hashes strings otherwise."""
        return {k: v for k, v in self.__dict__.items() if k not in ("_hash", "_keys")}

    def __eq__(self, other) -> bool:
        if self is other:
            return True
        if type(self) is not type(other) or hash(self) != hash(other):
            return False
        return all(getattr(self, f.name) == getattr(other, f.name) for f in dataclasses.fields(self))

    def source(self, write) -> Any:
        """This layer as text, written with `compose.core.printing.Writer`."""
        return write.fields(self)


class StatefulLayer(Layer):
    """A leaf whose state changes without a gradient: `forward(p, s, x, ctx) -> (y, s)`."""

    def forward(self, p, s, x, ctx: Context) -> tuple[Any, Any]:  # pyright: ignore[reportIncompatibleMethodOverride]
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def call(self, params, state, x, ctx: Context) -> tuple[Any, Any]:
        return self.forward(params, state, x, ctx)


def as_layer(value: Any) -> Layer:
    """Lift to a layer: a layer is itself, a layer's class takes its defaults, a function becomes one.

    Raises `ConfigError` for anything else.
    """
    from compose.core.function import Function, lift

    if isinstance(value, Layer):
        return value
    if isinstance(value, type) and issubclass(value, Layer):
        try:
            return value()
        except TypeError as e:
            raise ConfigError(f"{value.kind_of_class()} with its arguments, as in {value.kind_of_class()}(...)") from e
    if isinstance(value, str):
        found = word(value)
        if isinstance(found, (Function, type)):
            return as_layer(found)
    if callable(value):
        return lift(value)
    raise ConfigError("a layer or a function", f"{type(value).__name__} {value!r}")


def count_keys(layers: tuple[Layer, ...]) -> tuple[str, ...]:
    """The keys of siblings: a layer's name, or its kind with its count among the siblings."""
    counts: dict[str, int] = {}
    keys: list[str] = []
    for child in layers:
        n = counts.get(child.kind, 0)
        counts[child.kind] = n + 1
        keys.append(child.key_name or f"{child.kind}_{n}")
    return tuple(keys)


def keys_of(layers: tuple[Layer, ...]) -> tuple[str, ...]:
    """`count_keys`; raises `ConfigError` where two are the same."""
    keys = count_keys(layers)
    twice = next((k for k in keys if keys.count(k) > 1), None) if len(set(keys)) != len(keys) else None
    if twice is not None:
        raise ConfigError(
            "names that differ among siblings", f"{keys.count(twice)} layers called {twice!r}", "rename one"
        )
    return keys


def walk(net: Layer, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Layer]]:
    """Every layer inside, outermost first, with its path."""
    yield path, net
    for key, child in net.children():
        yield from walk(child, path if net.transparent else (*path, key))
