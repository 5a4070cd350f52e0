"""The walk over words: each layer writes expressions and submodules, each layer of layers a class."""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from torch import nn

from compose.core.errors import LayerError
from compose.core.layer import Layer
from compose.core.plan import plan
from compose.export.errors import ExportError
from compose.export.torch import registry
from compose.export.torch.class_text import class_text, layout
from compose.export.torch.code import Code, Statement, camel, free
from compose.export.torch.parts import part_names, part_text
from compose.export.torch.value import Step, Value, atomic
from compose.export.walk import Walk

TAKEN = {*dir(nn.Module()), "training", "forward"}


class Writer(Walk):
    """What rules write with: the class being written, where in the network it is, and the classes so far."""

    def __init__(self) -> None:
        super().__init__()
        self.start = 0  # where in the path the class being written begins
        self.code = Code([], [])
        self.classes: dict[str, str] = {}  # texts by name
        self.parts: dict[str, str] = {}
        self.kind = "layer"
        self._count = 0

    # Layers

    def layer(self, layer: Layer, params: Any, state: Any, x: Any, key: str | None = None) -> Any:
        with self.at(key):
            try:
                rule = registry.rule_of(layer)
                if rule is None:
                    raise ExportError(
                        "a word that has a rule for PyTorch", getattr(layer, "word_name", layer.kind_of_class())
                    )
                kind, self.kind = self.kind, layer.kind
                given = x if rule in registry.LAYOUTS else jax.tree.map(self.last, x)
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

    # Submodules and weights

    @property
    def attribute(self) -> str:
        """The name of the submodule of the layer being written: its path from the class on."""
        return self.attribute_named("_".join(self.path[self.start :]) or self.kind)

    def attribute_named(self, name: str) -> str:
        name = re.sub(r"\W", "_", name)
        name = f"layer_{name}" if name[:1].isdigit() else name
        return f"{name}_" if name in TAKEN or keyword.iskeyword(name) else name

    def module(self, x: Value, text: str, weights: dict[str, Any] | None = None, shape: Any = None, dtype: Any = None,
               first: bool | None = None, name: str | None = None) -> Value:  # fmt: skip
        """Pass a value through a module of this class."""
        name = self.submodule(text, weights, name)
        made = self.call(x, f"self.{name}({{}})", text, shape, dtype, first)
        return made.but(steps=(*made.steps[:-1], Step(f"self.{name}({{}})", text, name)))

    def submodule(self, text: str, weights: dict[str, Any] | None = None, name: str | None = None) -> str:
        """Add a submodule: its name."""
        base = self.attribute if name is None else self.attribute_named("_".join([*self.path[self.start :], name]))
        name = free(base, {*self.code.attributes, *self.code.weights})
        self.code.attributes[name] = text
        for key, array in (weights or {}).items():
            self.code.weights[f"{name}.{key}"] = array
        return name

    def parameter(self, array: Any, name: str) -> str:
        """Add a parameter of the class itself: the text that reads it."""
        name = free(
            self.attribute_named("_".join([*self.path[self.start :], name])),
            {*self.code.attributes, *self.code.weights},
        )
        sizes = ", ".join(map(str, np.shape(array))) or "()"
        self.code.lines.append(f"self.{name} = nn.Parameter(torch.empty({sizes}))")
        self.code.weights[name] = array
        return f"self.{name}"

    def constant(self, array: Any, name: str) -> str:
        """Add numbers that are no parameters, as a buffer in the weights: the text that reads it."""
        name = free(
            self.attribute_named("_".join([*self.path[self.start :], name])),
            {*self.code.attributes, *self.code.weights},
        )
        array = np.asarray(array)
        sizes = ", ".join(map(str, array.shape)) or "()"
        kind = "" if array.dtype.kind == "f" else f", dtype=torch.{array.dtype.name}"
        self.code.lines.append(f'self.register_buffer("{name}", torch.zeros({sizes}{kind}))')
        self.code.weights[name] = array
        return f"self.{name}"

    def part(self, name: str) -> str:
        """Add a function or class that the file then holds: its name."""
        for known, text in part_text(name).items():
            self.parts.setdefault(known, text)
        return name

    def note(self, text: str) -> None:
        if text not in self.code.notes:
            self.code.notes.append(text)

    # Layouts

    def first(self, x: Value) -> Value:
        """The value with channels second, as torch's convolutions have them."""
        if x.first or x.ndim < 3:
            return x
        if x.steps and x.steps[-1].text == _last(x.ndim):
            return x.but(steps=x.steps[:-1], first=True)
        return self.call(x, _first(x.ndim), first=True)

    def last(self, x: Value) -> Value:
        """The value with its axes as the network has them."""
        if not x.first:
            return x
        return self.call(x, _last(x.ndim), first=False)

    def alike(self, xs: tuple) -> tuple:
        """Values of one layout: channels second if one has them so and all have as many axes."""
        if any(x.first for x in xs) and len({x.ndim for x in xs}) == 1:
            return tuple(map(self.first, xs))
        return tuple(map(self.last, xs))

    # Classes

    def block(self, layer: Layer, run: Callable[[Any], Any], x: Any) -> Any:
        """What `run` writes, as a class that is called here; or in this one where it is nothing by itself."""
        if not self.path[self.start :]:
            return run(x)
        text, weights, call, y = self.apart(layer, run, x)
        if text is None:
            return run(x)
        if isinstance(y, Value) and isinstance(x, Value):
            return self.module(x, text, weights, y.shape, y.dtype, y.first)
        name = self.submodule(text, weights)
        return self.results(f"self.{name}({call})", y)

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

    def apart(
        self, layer: Layer, run: Callable[[Any], Any], x: Any, title: str | None = None
    ) -> tuple[str | None, dict, str, Any]:
        """Write a class: the text that makes it, its weights, the arguments of its call and its output."""
        leaves, tree = jax.tree.flatten(self.named(x))
        distinct = list(dict.fromkeys(leaf.text for leaf in leaves))
        tokens = {text: self.token() for text in distinct}
        labels = ["x"] if len(distinct) == 1 else [f"x{i}" for i in range(len(distinct))]
        outer, start = self.code, self.start
        self.code, self.start = Code(list(tokens.values()), labels), len(self.path)
        try:
            inner = jax.tree.unflatten(tree, [leaf.but(base=tokens[leaf.text], steps=()) for leaf in leaves])
            y = run(inner)
            code = self.code
            if code.empty:
                return None, {}, "", y
            y = self.named(y)
            text = self.text_of(code, title or self.title(layer), y)
        finally:
            self.code, self.start = outer, start
        return text, code.weights, ", ".join(distinct), y

    def text_of(self, code: Code, title: str, y: Any) -> str:
        """The text that makes a module of what was written."""
        parts = code.sequence(y.base) if isinstance(y, Value) else None
        if parts is not None and not code.notes:
            inside = ", ".join(f"{k}={v}" for k, v in parts.items())
            return f"nn.Sequential(OrderedDict({inside}))"
        return f"{self.class_of(code, camel(title), y)}()"

    def title(self, layer: Layer) -> str:
        """What a class is called after: the layer's key without its number."""
        return re.sub(r"_\d+$", "", next((k for k in reversed(self.path) if not k.isdigit()), layer.kind))

    def class_of(self, code: Code, name: str, y: Any) -> str:
        """Add the class, unless an equal one is there: its name."""
        body = class_text(code, layout(y))
        for known, text in self.classes.items():
            if text == body:
                return known
        taken = {*self.classes, *part_names(), "Network", "OrderedDict", "F"}
        name = next(n for n in (name, *(f"{name}{i}" for i in range(2, 10**6))) if n not in taken)
        self.classes[name] = body
        return name

    def specs(self, x: Any) -> Any:
        """Values as abstract arrays."""
        return jax.tree.map(lambda v: jax.ShapeDtypeStruct(v.shape, v.dtype), x)

    def out(self, layer: Layer, x: Any) -> Any:
        """The abstract output of a layer."""
        return plan(layer, self.specs(x)).out


def _first(rank: int) -> str:
    space = ", ".join(map(str, range(1, rank - 1)))
    return "{}.transpose(1, 2)" if rank == 3 else f"{{}}.permute(0, {rank - 1}, {space})"


def _last(rank: int) -> str:
    return "{}.transpose(1, 2)" if rank == 3 else f"{{}}.permute(0, {', '.join(map(str, range(2, rank)))}, 1)"
