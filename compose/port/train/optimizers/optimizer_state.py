"""Convert the state of a used optimizer to the state of its optax transformation."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from compose.core.errors import ConfigError
from compose.port.ir.reference import Arrays
from compose.port.ir.weights import WeightMap
from compose.port.result import Result
from compose.port.train.frameworks import source_of
from compose.port.train.optimizers import optimizer as transformation
from compose.port.train.optimizers.per_array import check_per_array

_ADAM = ("exp_avg", "exp_avg_sq")
TORCH: dict[str, Callable[[dict[str, Any]], tuple[str, ...]]] = {
    "SGD": lambda g: ("momentum_buffer",) * bool(g["momentum"]),
    "Adam": lambda g: (*_ADAM, *("max_exp_avg_sq",) * g["amsgrad"]),
    "AdamW": lambda g: (*_ADAM, *("max_exp_avg_sq",) * g["amsgrad"]),
    "NAdam": lambda g: (*_ADAM, "mu_product"),
    "RAdam": lambda g: _ADAM,
    "Adamax": lambda g: ("exp_avg", "exp_inf"),
    "Adagrad": lambda g: ("sum",),
    "Adadelta": lambda g: ("square_avg", "acc_delta"),
    "RMSprop": lambda g: (
        *("grad_avg",) * g["centered"], "square_avg", *("momentum_buffer",) * bool(g["momentum"]),
    ),
    "Rprop": lambda g: ("prev", "step_size"),
    "ASGD": lambda g: ("ax",),
}  # fmt: skip

# A leading minus: Keras's momentum has the opposite sign of the trace here.
_MOMENTS = ("_momentums", "_velocities")
KERAS: dict[str, Callable[[Any], tuple[str, ...]]] = {
    "SGD": lambda o: ("momentums",) * bool(o.momentum),
    "Adam": lambda o: (*_MOMENTS, *("_velocity_hats",) * o.amsgrad),
    "AdamW": lambda o: (*_MOMENTS, *("_velocity_hats",) * o.amsgrad),
    "Nadam": lambda o: (*_MOMENTS, "_u_product"),
    "Lamb": lambda o: _MOMENTS,
    "Adamax": lambda o: ("_m", "_u"),
    "Lion": lambda o: ("_momentums",),
    "Adagrad": lambda o: ("_accumulators",),
    "Adadelta": lambda o: ("_accumulated_grads", "_accumulated_delta_vars"),
    "RMSprop": lambda o: (
        *("_average_gradients",) * o.centered, "_velocities", *("-_momentums",) * bool(o.momentum),
    ),
    "Ftrl": lambda o: ("_accumulators", "_linears"),
}  # fmt: skip


def carried(
    port: Result, source: Any, learning_rate: Any = None, steps: int | None = None
) -> tuple[optax.GradientTransformation, optax.OptState]:
    """See `Ported.optimizer`."""
    framework, kind = source_of(source, "optimizer")
    check_per_array(port.weights, source, kind)
    read = {"torch": _of_torch, "keras": _of_keras}.get(framework)
    if read is None:
        raise ConfigError("a torch or Keras optimizer, whose state can be read", f"a {framework} {kind}")
    slots, counted = read(port, source, kind)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="the state of this used")
        tx = transformation(source, learning_rate)
    count = counted if steps is None else steps
    fresh = tx.init(port.params)
    if count == 0:
        return tx, fresh
    if count is None and callable(learning_rate):
        raise ConfigError(
            f"steps=, the number of steps that {kind} has taken", "a schedule", "torch's SGD does not count steps"
        )
    return tx, _filled(fresh, port, slots, 1 if count is None else count)


def _filled(state: Any, port: Result, slots: list[Arrays], count: int) -> Any:
    """Fill the parameter-shaped trees of an optax state with the slots, in order, and its counters with `count`."""
    tree = jax.tree.structure(port.params)
    is_slot = lambda node: isinstance(node, dict) and jax.tree.structure(node) == tree
    expected = sum(is_slot(node) for node in jax.tree.leaves(state, is_leaf=is_slot))
    if expected != len(slots):
        raise ConfigError(f"an optimizer with {expected} arrays per parameter", f"{len(slots)} in its state")
    values = iter(slots)

    def fill(node: Any) -> Any:
        if is_slot(node):
            return jax.tree.map(lambda a, b: jnp.asarray(b, a.dtype), node, _converted(port, next(values)))
        return jnp.full_like(node, count)

    return jax.tree.map(fill, state, is_leaf=is_slot)


def _converted(port: Result, slot: Arrays) -> Any:
    """A slot's arrays, converted like their weights; a scalar is the same for every parameter."""
    if all(np.ndim(value) == 0 for value in slot.values()):
        number = next(iter(slot.values()))
        return jax.tree.map(lambda _: number, port.params)
    zeros = {
        name: np.zeros_like(array) for name, array in port.graph.arrays.items()
    }  # for weights that never had a gradient
    return WeightMap(r for r in port.weights if r.tree == "params").load(zeros | slot)[0]


def _names(port: Result, framework: str) -> dict[int, str]:
    """The names of the source's arrays, by the `id` of the model's variables."""
    model, saved = port.reference.model, port.graph.saved  # pyright: ignore[reportAttributeAccessIssue]
    if saved is None or saved.framework != framework:
        raise ConfigError(f"the {framework} model that was ported", f"a port of {port.graph.name}")
    if framework == "torch":
        return {id(p): saved.names[name] for name, p in model.named_parameters()}
    return {id(v): name for v, name in zip(model.weights, saved.names, strict=True)}


def _of_torch(port: Result, source: Any, kind: str) -> tuple[list[Arrays], int | None]:
    """The slots by weight name, and the number of steps taken; None if the optimizer does not count them."""
    if len(source.param_groups) != 1:
        raise ConfigError("a single parameter group, to carry the state over", f"{len(source.param_groups)}")
    group = source.param_groups[0]
    if kind not in TORCH:
        raise ConfigError("an optimizer with state shaped like the weights", f"torch.optim.{kind}")
    names = _names(port, "torch")
    unknown = [p for p in group["params"] if id(p) not in names]
    if unknown:
        raise ConfigError("an optimizer over the parameters of the ported model", f"{len(unknown)} others")
    states = {names[id(p)]: source.state[p] for p in group["params"] if source.state.get(p)}
    counts = {float(s["step"]) for s in states.values() if "step" in s}
    if len(counts) > 1:
        raise ConfigError("the same number of steps for all parameters", f"{sorted(counts)}")
    number = lambda value: np.array(value.detach().cpu().numpy() if hasattr(value, "detach") else value)
    wanted = TORCH[kind](group)
    slots = [{n: number(s[slot]) for n, s in states.items() if s.get(slot) is not None} for slot in wanted]
    if not states or not all(slots):
        return [], 0
    return slots, int(counts.pop()) if counts else None


def _of_keras(port: Result, source: Any, kind: str) -> tuple[list[Arrays], int | None]:
    if source.use_ema or (source.gradient_accumulation_steps or 1) > 1:
        raise ConfigError("an optimizer without EMA or gradient accumulation, to carry its state over", kind)
    if kind not in KERAS:
        raise ConfigError("an optimizer with state shaped like the weights", f"keras {kind}")
    if not source.built:
        return [], 0
    names = _names(port, "keras")
    variables = source._trainable_variables
    if any(id(v) not in names for v in variables):
        raise ConfigError("an optimizer built on the variables of the ported model", kind)
    slots = []
    for slot in KERAS[kind](source):
        sign, values = -1 if slot[0] == "-" else 1, getattr(source, slot.removeprefix("-"))
        values = values if isinstance(values, list) else [values] * len(variables)
        slots.append({names[id(v)]: sign * np.array(value.value) for v, value in zip(variables, values, strict=True)})
    return slots, int(source._iterations.value)
