"""The walk over words: each layer writes expressions, each layer of layers a class or a function."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from typing import Any, ClassVar

import jax
import numpy as np

from compose.core.errors import LayerError
from compose.core.layer import Layer
from compose.core.plan import plan
from compose.export.errors import ExportError
from compose.export.registry import Words
from compose.export.source.code import Code, Statement, free
from compose.export.source.pieces import Pieces
from compose.export.source.registry import LAYOUTS
from compose.export.source.value import Step, Value, atomic
from compose.export.walk import Walk


class SourceWriter(Walk):
    """What rules write with: the class or function being written, where in the network it is, and those so far.

    Attributes:
        framework: what the errors call it.
        words: its rules.
        pieces: the functions and classes that it has not.
        binary: the operations of two operands, and the choice, that are functions of its own, by the name of the word.
    """

    framework: str
    words: Words
    pieces: Pieces
    binary: ClassVar[dict[str, str]]

    def __init__(self) -> None:
        super().__init__()
        self.start = 0  # where in the path what is being written begins
        self.code = Code([], [])
        self.classes: dict[str, str] = {}  # or functions: texts by name
        self.parts: dict[str, str] = {}
        self.kind = "layer"
        self._count = 0

    # What frameworks do in their own ways

    def module(self, x: Value, text: str, weights: dict[str, Any] | None = None, shape: Any = None, dtype: Any = None,
               first: bool | None = None, name: str | None = None) -> Value:  # fmt: skip
        """Pass a value through a layer of the framework, `text`, with weights."""
        raise NotImplementedError

    def apart(
        self, layer: Layer, run: Callable[[Any], Any], x: Any, title: str | None = None
    ) -> tuple[str | None, dict, str, Any]:
        """Write a class or function: the text that makes it, its weights, the arguments of its call and its output."""
        raise NotImplementedError

    def use(self, text: str, weights: dict, call: str, x: Any, y: Any) -> Any:
        """Call what `apart` wrote."""
        raise NotImplementedError

    def attribute_named(self, name: str) -> str:
        """A name that the framework takes."""
        raise NotImplementedError

    def constant_number(self, value: Any) -> str:
        """A number where a function of two arrays takes it."""
        raise NotImplementedError

    def index(self, text: str) -> str:
        """An index, as the framework takes it."""
        return text

    # Layers

    def layer(self, layer: Layer, params: Any, state: Any, x: Any, key: str | None = None) -> Any:
        with self.at(key):
            try:
                rule = self.words.rule_of(layer)
                if rule is None:
                    raise ExportError(
                        f"a word that has a rule for {self.framework}",
                        getattr(layer, "word_name", layer.kind_of_class()),
                    )
                kind, self.kind = self.kind, layer.kind
                given = x if rule in LAYOUTS else jax.tree.map(self.last, x)
                y = rule(self, layer, params, state, given)
                self.kind = kind
                return y
            except LayerError as e:
                raise e.locate(layer, path=self.path)

    # Values

    def token(self) -> str:
        self._count += 1
        return f"«{self._count}»"

    def named(self, value: Any) -> Any:
        """The same values, each as a variable."""

        def name(v: Value) -> Value:
            if re.fullmatch(r"«\d+»", v.text):
                return v
            target = self.token()
            self.code.statements.append(Statement((target,), v.text, v))
            return v.but(base=target, steps=())

        return jax.tree.map(name, value)

    def made(self, text: str, *xs: Value, shape: Any = None, dtype: Any = None, first: bool | None = None) -> Value:
        """An expression, `text` with `{}` for each value in order, like the first one but for what is given."""
        like = xs[0]
        for x in xs:
            text = text.replace("{}", atomic(x.text), 1)
        return Value(
            text, tuple(like.shape if shape is None else shape), np.dtype(like.dtype if dtype is None else dtype),
            like.first if first is None else first,
        )  # fmt: skip

    def call(self, x: Value, text: str, module: str | None = None, shape: Any = None, dtype: Any = None,
             first: bool | None = None) -> Value:  # fmt: skip
        """A function of one value, `text` with `{}` for it; `module` is the module that does the same in a sequence."""
        x = x if text.count("{}") == 1 else self.named(x)
        return x.but(
            steps=(*x.steps, Step(text, module)),
            shape=tuple(x.shape if shape is None else shape), dtype=np.dtype(x.dtype if dtype is None else dtype),
            first=x.first if first is None else first,
        )  # fmt: skip

    # Names and pieces

    @property
    def attribute(self) -> str:
        """The name of the layer being written: its path from the class or function on."""
        return self.attribute_named("_".join(self.path[self.start :]) or self.kind)

    def unused(self, name: str | None) -> str:
        """A name for a part of the layer being written."""
        base = self.attribute if name is None else self.attribute_named("_".join([*self.path[self.start :], name]))
        return free(base, {*self.code.attributes, *self.code.weights})

    def part(self, name: str) -> str:
        """Add a function or class that the file then holds: its name."""
        for known, text in self.pieces.needed(name).items():
            self.parts.setdefault(known, text)
        return name

    def note(self, text: str) -> None:
        if text not in self.code.notes:
            self.code.notes.append(text)

    # Layouts

    def first(self, x: Value) -> Value:
        """The value with channels second, where the framework's convolutions take them so."""
        return x

    def last(self, x: Value) -> Value:
        """The value with its axes as the network has them."""
        return x

    def alike(self, xs: tuple) -> tuple:
        """Values of one layout: channels second if one has them so and all have as many axes."""
        if any(x.first for x in xs) and len({x.ndim for x in xs}) == 1:
            return tuple(map(self.first, xs))
        return tuple(map(self.last, xs))

    # Classes and functions

    def block(self, layer: Layer, run: Callable[[Any], Any], x: Any) -> Any:
        """What `run` writes, as a class or function of its own; or in this one where it is nothing by itself."""
        if not self.path[self.start :]:
            return run(x)
        text, weights, call, y = self.apart(layer, run, x)
        if text is None:
            return run(x)
        return self.use(text, weights, call, x, y)

    def results(self, text: str, y: Any) -> Any:
        """The leaves of the value of a call."""
        if isinstance(y, Value):
            return y.but(base=text, steps=())
        if len(y) == 1:
            return (self.named(self.results(f"{text}[0]", y[0])),)
        parts = [self.token() for _ in y]
        self.code.statements.append(Statement(tuple(parts), text))
        return tuple(self.results(part, v) for part, v in zip(parts, y))

    def called(self, text: str, out: Any) -> Any:
        """The values of a call that gives such abstract arrays."""
        return self.results(text, jax.tree.map(lambda o: Value("", tuple(o.shape), np.dtype(o.dtype)), out))

    def inner(self, layer: Layer, run: Callable[[Any], Any], x: Any, inputs: list[str], labels: Any) -> tuple[Any, Any]:
        """Write into a code of its own: that code, and the output. `labels` names as many inputs as it is given."""
        leaves, tree = jax.tree.flatten(self.named(x))
        inputs[:] = dict.fromkeys(leaf.text for leaf in leaves)
        tokens = {text: self.token() for text in inputs}
        outer, start = self.code, self.start
        self.code, self.start = Code(list(tokens.values()), labels(len(inputs))), len(self.path)
        try:
            inner = jax.tree.unflatten(tree, [leaf.but(base=tokens[leaf.text], steps=()) for leaf in leaves])
            y = run(inner)
            return self.code, y if self.code.empty else self.named(y)
        finally:
            self.code, self.start = outer, start

    def title(self, layer: Layer) -> str:
        """What a class is called after: the layer's key without its number."""
        return re.sub(r"_\d+$", "", next((k for k in reversed(self.path) if not k.isdigit()), layer.kind))

    def kept(self, name: str, body: str, taken: Any) -> str:
        """Add the text of a class or function, unless an equal one is there: its name."""
        for known, text in self.classes.items():
            if text == body:
                return known
        taken = {*self.classes, *self.pieces.texts, *taken}
        numbered = (f"{name}{i}" for i in itertools.count(2))
        name = next(n for n in itertools.chain([name], numbered) if n not in taken)
        self.classes[name] = body
        return name

    def specs(self, x: Any) -> Any:
        """Values as abstract arrays."""
        return jax.tree.map(lambda v: jax.ShapeDtypeStruct(v.shape, v.dtype), x)

    def out(self, layer: Layer, x: Any) -> Any:
        """The abstract output of a layer."""
        return plan(layer, self.specs(x)).out
