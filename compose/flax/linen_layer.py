"""A Flax Linen module as a layer."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
from flax import linen as nn
from flax.errors import InvalidRngError, ModifyScopeVariableError

from compose.core.context import Context
from compose.core.errors import ConfigError
from compose.core.layer import unlisted
from compose.core.run import arguments
from compose.flax.drawing import params_of
from compose.flax.modes import mode
from compose.flax.module_layer import WORDLESS, ModuleLayer, computes_on
from compose.flax.trees import plain


class LinenLayer(ModuleLayer):
    """A layer that runs a Linen module, which `module()` builds from the layer's fields.

    The module's `params` collection becomes the layer's parameters; its other collections become the state. In
    training, the module is called with `train=True`, `deterministic=False` or `use_running_average=False`, whichever
    it takes; its collections are mutable, and its rngs are derived from the rng of `apply`. Shapes: those of the
    module; a tuple of inputs is passed as several arguments.

    Subclass it to register a module under a name that prints, parses and saves::

        @compose.register
        class encoder(compose.flax.LinenLayer):
            size: int

            def module(self):
                return Encoder(self.size)

        net = encoder(64) >> fc(10)
    """

    rngs = ("dropout",)  # the random streams that the module uses in training

    def module(self) -> nn.Module:
        raise NotImplementedError(f"{type(self).__name__} has no module")

    def arrays(self, x) -> tuple[dict, dict]:
        with computes_on(x):
            collections = params_of(_init, self, arguments(x))
        return collections.pop("params", {}), {k: v for k, v in collections.items() if v}

    def call(self, params, state, x, ctx: Context):
        module = self.module()
        draws = ctx.train and ctx.key is not None
        rngs = {name: ctx.rng(name) for name in self.rngs} if draws else {}

        def run(mutable: Any) -> Any:
            options: dict[str, Any] = dict(mode(module, ctx.train), mutable=mutable)
            return module.apply({"params": params, **state}, *arguments(x), rngs=rngs, **options)

        try:
            y, after = run(list(state)) if ctx.train else (run(False), {})
        except ModifyScopeVariableError:  # a module that writes its state in inference too, which is not kept
            y, after = run(list(state))[0], {}
        except InvalidRngError:
            ctx.rng()  # raises if apply was called without an rng
            raise
        return y, {**state, **plain(after)}


@unlisted
class FlaxModule(LinenLayer):
    """Any Linen module, as returned by `compose.flax.layer(module)`. It has no parsable text."""

    inner: Any

    wordless = WORDLESS

    def validate(self):
        try:
            hash(self.inner)
        except TypeError as e:
            raise ConfigError("a Linen module with hashable fields", f"{type(self.inner).__name__}: {e}") from None

    @classmethod
    def kind_of_class(cls) -> str:
        return "flax"

    def module(self) -> nn.Module:
        return self.inner

    def source(self, write):
        fields = (f for f in dataclasses.fields(self.inner) if f.init and f.name not in ("parent", "name"))
        values = [(f.name, getattr(self.inner, f.name)) for f in fields]
        options = [f"{name}={value!r}" for name, value in values if value is not _default(self.inner, name)]
        return write.call("flax", [write.call(type(self.inner).__name__, options)])


def _default(module: nn.Module, name: str) -> Any:
    return next(f.default for f in dataclasses.fields(module) if f.name == name)


def _init(key, layer: LinenLayer, inputs: tuple) -> dict:
    """The module's collections for inputs of these shapes."""
    module = layer.module()
    streams = {name: jax.random.fold_in(key, i) for i, name in enumerate(("params", *layer.rngs))}
    options: dict[str, Any] = dict(mode(module, False))
    zeros = jax.tree.map(lambda s: jax.numpy.zeros(s.shape, s.dtype), inputs)
    return plain(module.init(streams, *zeros, **options))
