"""A layer as the operations that it runs: its program in JAX, equation by equation."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Literal

from compose.core.errors import LayerError
from compose.core.layer import Layer
from compose.export.errors import ExportError
from compose.export.onnx import registry
from compose.export.onnx.context import Writing, layer_p
from compose.export.onnx.dims import static

MOST_FOLDED = 1 << 24  # elements of a constant that is computed while writing


def written_as_program(writer: Any, layer: Layer, params: Any, state: Any, x: Any) -> Any:
    """Trace the layer in inference and write each equation; a layer that it runs inside is written as a layer."""

    def run(whole: bool):
        ctx = Writing(path=writer.path, scope=writer.scope, whole=whole)
        return lambda p, s, x, mask: layer.call(p, s, x, ctx.but(mask=mask))[0]

    return written_function(writer, run, params, state, x, writer.mask)


def written_function(writer: Any, run: Any, *args: Any) -> Any:
    """Write what `run(whole)(*args)` computes; `whole` traces through the layers inside, where JAX transforms them."""
    leaves, tree = jax.tree.flatten(args)
    specs = [jax.ShapeDtypeStruct(a.shape, _held(a.dtype)) for a in leaves]
    program: Any = None
    out: Any = None
    for whole in (False, True):
        try:
            traced = jax.make_jaxpr(
                lambda *leaves, whole=whole: run(whole)(*jax.tree.unflatten(tree, leaves)), return_shape=True
            )
            program, out = traced(*specs)
            break
        except NotImplementedError as e:
            if whole or layer_p.name not in str(e):
                raise
        except LayerError:
            raise
        except Exception as e:
            first = next(iter(str(e).splitlines()), type(e).__name__)
            hint = "export it for a fixed batch size, as in batch=1"
            raise ExportError("a layer that takes any batch size", first, hint) from e
    results = equations(writer, program.jaxpr, program.consts, leaves)
    return jax.tree.unflatten(jax.tree.structure(out), results)


def equations(writer: Any, program: Any, consts: Any, inputs: Any) -> list[Any]:
    """Write the equations of a program that its outputs need: its outputs, constants among them as arrays."""
    values: dict[Any, Any] = dict(zip(program.constvars, map(np.asarray, consts)))
    values.update(zip(program.invars, inputs, strict=True))
    read = lambda v: np.asarray(v.val, getattr(v.aval, "dtype", None)) if isinstance(v, Literal) else values[v]
    for equation in needed(program):
        made = _equation(writer, equation, [read(v) for v in equation.invars])
        for variable, value in zip(equation.outvars, made, strict=True):
            values[variable] = value
    return [read(v) for v in program.outvars]


def needed(program: Any) -> list[Any]:
    """The equations on which the outputs depend, in order."""
    used = {v for v in program.outvars if not isinstance(v, Literal)}
    kept = []
    for equation in reversed(program.eqns):
        if any(v in used for v in equation.outvars):
            kept.append(equation)
            used.update(v for v in equation.invars if not isinstance(v, Literal))
    return kept[::-1]


def _equation(writer: Any, equation: Any, inputs: list) -> list[Any]:
    name = equation.primitive.name
    if equation.primitive is layer_p:
        params, state, x, mask = jax.tree.unflatten(equation.params["tree"], inputs)
        with writer.masked(mask):
            return jax.tree.leaves(writer.layer(equation.params["layer"], params, state, x, equation.params["key"]))
    rule = registry.PRIMITIVES.get(name)
    if all(isinstance(i, np.ndarray) for i in inputs) and _folds(equation):
        return _folded(equation, inputs)
    if rule is None:
        raise ExportError("a layer of operations that ONNX has", f"JAX's {name}")
    made = rule(writer, equation, *inputs)
    return made if isinstance(made, list) else [made]


STRUCTURE = {"platform_index", "dimension_as_value", "dim_as_value"}


def _folds(equation: Any) -> bool:
    """Whether an equation on constants is computed now: not one whose size depends on the batch."""
    if equation.primitive.name in STRUCTURE or equation.primitive.name.startswith("random_"):
        return False
    nested = any(hasattr(p, "eqns") or hasattr(p, "jaxpr") for p in jax.tree.leaves(list(equation.params.values())))
    shapes = [v.aval.shape for v in equation.outvars]
    return not nested and all(static(s) and np.prod(s, dtype=float) <= MOST_FOLDED for s in shapes)


def _folded(equation: Any, inputs: list) -> list[Any]:
    with jax.ensure_compile_time_eval():
        made = equation.primitive.bind(*map(jnp.asarray, inputs), **equation.params)
    return list(map(np.asarray, made if equation.primitive.multiple_results else [made]))


def _held(dtype: Any) -> Any:
    return jax.dtypes.canonicalize_dtype(dtype)
