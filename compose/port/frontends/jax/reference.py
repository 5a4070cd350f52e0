"""A function of JAX as the proof needs it: in float64, on given weights."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from compose.core.errors import PortError
from compose.port.frontends.jax.float64 import narrows, widened
from compose.port.frontends.jax.inlining import Flat, Var
from compose.port.frontends.jax.limits import limits_of_float32
from compose.port.ir.reference import Arrays, Directional, Gradients
from compose.port.proof.finite_differences import Differences
from compose.port.proof.reference import cotangents


class JaxReference:
    """See `compose.port.ir.reference.Reference`; `model` has named `arrays`, those that are `trained`, and `run`."""

    def __init__(self, model: Any, examples: tuple):
        self.model = model
        self.examples = [np.asarray(x) for x in examples]
        self.narrow: bool | None = None  # whether the function itself casts to fewer digits

    def inputs(self) -> list[np.ndarray]:
        return [x.astype(np.float64) if np.issubdtype(x.dtype, np.floating) else x for x in self.examples]

    @cached_property
    def trains(self) -> bool:
        """Whether the function has gradients: a `while_loop` has none in JAX."""

        def total(floats):
            made = self.model.run({**self.model.arrays, **floats}, self.examples)[0]
            return sum(jnp.sum(jnp.real(y)) for y in jax.tree.leaves(made))

        try:
            jax.eval_shape(jax.grad(total), {name: self.model.arrays[name] for name in self.model.trained})
        except (NotImplementedError, ValueError) as e:
            return "ifferentiation" not in str(e)
        return True

    def outputs(self, arrays: Arrays, inputs: list[np.ndarray]) -> list[np.ndarray]:
        run = jax.jit(lambda arrays, inputs: jax.tree.leaves(self._run(arrays, inputs)[0]))
        return [np.asarray(y) for y in run(arrays, inputs)]

    def gradients(self, arrays: Arrays, inputs: list[np.ndarray], seed: int) -> Gradients | Directional:
        try:
            return self._gradients(arrays, inputs, seed)
        except (NotImplementedError, ValueError) as e:
            if "ifferentiation" not in str(e):
                raise
        return Differences(self.outputs, arrays, inputs, seed)  # as of a `while_loop`, which has no gradient in JAX

    def _gradients(self, arrays: Arrays, inputs: list[np.ndarray], seed: int) -> Gradients:
        names = [name for name in self.model.trained if name in arrays]
        floats = [i for i, x in enumerate(inputs) if np.issubdtype(x.dtype, np.floating)]

        def forward(weights, floating):
            given = [jnp.asarray(x) for x in inputs]
            for i, x in zip(floats, floating):
                given[i] = x
            return jax.tree.leaves(self._run({**arrays, **weights}, given)[0])

        weights = {name: jnp.asarray(arrays[name]) for name in names}

        @jax.jit  # forward and backward pass as one program
        def both(weights, floating):
            outputs, pull = jax.vjp(forward, weights, floating)
            given = [jnp.asarray(c, o.dtype) for c, o in zip(cotangents(outputs, seed), outputs)]
            return outputs, *pull(given)

        result = both(weights, [jnp.asarray(inputs[i]) for i in floats])
        outputs, of_weights, of_inputs = jax.tree.map(np.asarray, result)
        return Gradients(outputs, of_inputs, of_weights)

    def train(
        self, arrays: Arrays, inputs: list[np.ndarray], seed: int, optimizer: Any, counts: list[int]
    ) -> list[Arrays]:
        if not self.trains:
            raise PortError("a function with gradients, to train; JAX has none of a while_loop")
        if not isinstance(optimizer, optax.GradientTransformation):
            raise PortError(f"an optimizer of optax, as JAX is trained with, got {type(optimizer).__name__}")
        names = [name for name in self.model.trained if name in arrays]
        weights = {name: jnp.asarray(arrays[name]) for name in names}
        rest = {name: jnp.asarray(a) for name, a in arrays.items() if name not in weights}
        shapes = jax.eval_shape(lambda: jax.tree.leaves(self._run(arrays, inputs)[0]))
        targets = [jnp.asarray(t) for t in cotangents([np.zeros(o.shape) for o in shapes], seed)]

        @jax.jit
        def step(weights, rest, memory):
            def loss(weights):
                out, after = self._run({**weights, **rest}, inputs, train=True)
                return sum(jnp.mean((o - t) ** 2) for o, t in zip(jax.tree.leaves(out), targets)), after

            grads, after = jax.grad(loss, has_aux=True)(weights)
            updates, memory = optimizer.update(grads, memory, weights)
            return optax.apply_updates(weights, updates), {name: after[name] for name in rest}, memory

        memory, after = optimizer.init(weights), []
        for n in range(1, counts[-1] + 1):
            weights, rest, memory = step(weights, rest, memory)
            if n in counts:
                after.append({name: np.asarray({**weights, **rest}[name]) for name in arrays})
        return after

    def intermediates(self, arrays: Arrays, inputs: list[np.ndarray]) -> list[np.ndarray]:
        with jax.enable_x64(True):
            return self._intermediates(arrays, inputs)

    def _intermediates(self, arrays: Arrays, inputs: list[np.ndarray]) -> list[np.ndarray]:
        flat = Flat(jax.make_jaxpr(lambda arrays, xs: jax.tree.leaves(self._run(arrays, xs)[0]))(arrays, inputs))
        env = dict(zip(flat.inputs, [*jax.tree.leaves(arrays), *inputs]))
        for eqn in flat.eqns:
            env.update(zip(eqn.outputs, eqn.run([env[v] if isinstance(v, Var) else v for v in eqn.inputs])))
        return [np.asarray(v) for v in env.values() if jnp.issubdtype(v.dtype, jnp.floating)]

    def default_optimizer(self) -> Any:
        return optax.sgd(0.01, momentum=0.9)

    def _run(self, arrays: Arrays, inputs: list, train: bool = False) -> tuple[Any, Arrays]:
        wide = {name: jnp.asarray(a) for name, a in self.model.arrays.items() if name not in arrays}
        wide = {k: a.astype(jnp.float64) if jnp.issubdtype(a.dtype, jnp.floating) else a for k, a in wide.items()}
        run = lambda arrays, inputs: self.model.run({**wide, **arrays}, inputs, train)
        with limits_of_float32():
            if self.narrow is None:
                self.narrow = narrows(run, arrays, inputs)
            return (widened(run) if self.narrow else run)(arrays, inputs)
