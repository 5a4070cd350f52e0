"""A Flax NNX module as a layer."""

from __future__ import annotations

from typing import Any

import jax
from flax import nnx

from compose.core.context import Context, path_hash
from compose.core.errors import ConfigError
from compose.core.layer import unlisted
from compose.core.run import arguments
from compose.flax.drawing import params_of
from compose.flax.modes import mode
from compose.flax.module_layer import WORDLESS, ModuleLayer

Tree = dict[str, Any]


class NnxLayer(ModuleLayer):
    """A layer that runs an NNX module, which `module(rngs)` constructs from the layer's fields.

    The module's `nnx.Param`s become the layer's parameters; all other variables except random streams become its state,
    by path. `train()` or `eval()` is called on it, and its random streams are derived from the rng of `apply`. Shapes:
    those of the module; a tuple of inputs is passed as several arguments.

    Subclass it to register a module under a name, as with `LinenLayer`::

        @compose.register
        class encoder(compose.flax.NnxLayer):
            n: int
            size: int

            def module(self, rngs):
                return Encoder(self.n, self.size, rngs=rngs)
    """

    def module(self, rngs: nnx.Rngs) -> nnx.Module:
        raise NotImplementedError(f"{type(self).__name__} has no module")

    def arrays(self, x) -> tuple[Tree, Tree]:
        return params_of(_init, self)

    def call(self, params, state, x, ctx: Context):
        module: Any = nnx.eval_shape(lambda: self.module(nnx.Rngs(0)))
        graph, streams, variables = nnx.split(module, nnx.RngState, ...)
        fill = lambda path, v: v.replace(_at(params if isinstance(v, nnx.Param) else state, path))
        start = lambda path, v: v.replace(_stream(v, path, ctx))
        module = nnx.merge(graph, nnx.map_state(start, streams), nnx.map_state(fill, variables))
        module.train() if ctx.train else module.eval()
        y = module(*arguments(x), **mode(module, ctx.train))
        return y, (_trees(module)[1] if ctx.train else state)


@unlisted
class NnxModule(NnxLayer):
    """Any NNX module, by class and arguments, from `compose.flax.layer(cls, ...)`. It has no parsable text."""

    make: Any
    args: tuple = ()
    options: tuple = ()

    wordless = WORDLESS

    def validate(self):
        try:
            hash((self.make, self.args, self.options))
        except TypeError as e:
            raise ConfigError("hashable arguments of an NNX module", f"{self.make}: {e}") from None

    @classmethod
    def kind_of_class(cls) -> str:
        return "flax"

    def module(self, rngs: nnx.Rngs) -> nnx.Module:
        return self.make(*self.args, **dict(self.options), rngs=rngs)

    def source(self, write):
        named = [f"{k}={v!r}" for k, v in self.options]
        return write.call("flax", [self.make.__qualname__, *map(repr, self.args), *named])


def _init(key, layer: NnxLayer) -> tuple[Tree, Tree]:
    return _trees(layer.module(nnx.Rngs(key)))


def _trees(module: nnx.Module) -> tuple[Tree, Tree]:
    """The parameters and the state of a module as nested dicts of arrays."""
    _, params, _, state = nnx.split(module, nnx.Param, nnx.RngState, ...)
    return _nested(params), _nested(state)


def _nested(state: Any) -> Tree:
    root: Tree = {}
    for path, variable in nnx.to_flat_state(state):
        tree = root
        for key in path[:-1]:
            tree = tree.setdefault(str(key), {})
        tree[str(path[-1])] = variable.get_value()
    return root


def _at(tree: Tree, path: tuple) -> Any:
    for key in path:
        tree = tree[str(key)]
    return tree


def _stream(variable: Any, path: tuple, ctx: Context) -> Any:
    """The value of a random stream's variable at the start of a call."""
    value = variable.get_value()
    if isinstance(variable, nnx.RngCount):
        return jax.numpy.zeros(value.shape, value.dtype)
    if not ctx.train:
        return jax.random.key(0)
    return jax.random.fold_in(ctx.rng(), path_hash(tuple(map(str, path))))
