"""The context in which a layer is traced to be written: what it runs inside stays a layer, one equation each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
from jax.core import ShapedArray
from jax.extend.core import Primitive

from compose.core.context import Context
from compose.core.layer import Layer
from compose.export.errors import ExportError

layer_p = Primitive("compose_layer")
layer_p.multiple_results = True
layer_p.def_abstract_eval(lambda *_, out, **__: [ShapedArray(s.shape, s.dtype) for s in out])


@dataclass(frozen=True)
class Writing(Context):
    """Inference, in which the layers inside become equations of their own and random numbers are refused."""

    whole: bool = False  # trace through the layers inside

    def call(self, key: str, child: Layer, params, state, x) -> tuple[Any, Any]:
        held = state.get(key, {})
        return self._inside(key, child, params.get(key, {}), held, x), held

    def run(self, child: Layer, params, x, key: str = "activation"):
        return self._inside(key, child, params.get(key, {}), {}, x)

    def rng(self, label: str = ""):
        raise ExportError("a layer that computes the same each time", "random numbers in inference")

    def _inside(self, key: str, child: Layer, params, state, x) -> Any:
        if self.whole:
            return child.call(params, state, x, self.at(key))[0]
        leaves, tree = jax.tree.flatten((params, state, x, self.mask))
        plain = Context(mask=self.mask, scope=self.scope, path=(*self.path, key))
        out = jax.eval_shape(lambda p, s, x: child.call(p, s, x, plain)[0], params, state, x)
        specs, out_tree = jax.tree.flatten(out)
        made = layer_p.bind(*leaves, layer=child, key=key, tree=tree, out=tuple(specs))
        return jax.tree.unflatten(out_tree, made)
