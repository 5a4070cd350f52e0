"""From Flax, Linen and NNX: the module's trace, in which known modules are kept whole."""

from __future__ import annotations

from typing import Any

from compose.core.errors import PortError
from compose.port.frontends.flax.registry import registry
from compose.port.ported import Ported


def from_flax(module: Any, *inputs: Any, partial: bool = False, **options: Any) -> Ported:
    """Port a Flax module to one expression with its weights.

    `from_flax(module, variables, x)` for Linen, `from_flax(module, x)` for a live NNX module.

    Args:
        module: it is traced in inference mode: `train`, `deterministic` and `use_running_average` are set. Training
            mode is what the proof of training steps runs, and what tells which statistics are fixed in training too.
        inputs: for Linen the variables, as from `init`; then example arrays, batch first. The batch may have any
            size afterwards.
        partial: where operations are missing, list them all in one error with the lines they come from.
        options: other arguments of the module's call.

    Returns a `compose.port.Ported`: `net, params, state, source, verify(...), save(...)`.

    Raises `PortError` for a module that cannot be traced, an operation without a rule, or Flax not installed.
    """

    try:
        from flax import linen, nnx
    except ImportError:
        raise PortError("Flax, to read its modules: pip install 'compose-jax[flax]'") from None
    from compose.flax.modes import mode
    from compose.port.frontends.flax.capture_linen import LinenModel
    from compose.port.frontends.flax.capture_nnx import NnxModel
    from compose.port.frontends.flax.lower import FlaxLowering
    from compose.port.frontends.jax.port import ported
    from compose.port.frontends.jax.reference import JaxReference
    from compose.port.frontends.jax.registry import registry as operations

    registry.load()
    operations.load()
    usual = mode(module, False) if isinstance(module, (linen.Module, nnx.Module)) else {}
    other = [f"{k}={v}" for k, v in options.items() if k in usual and bool(v) != usual[k]]
    if other:
        raise PortError(f"a module in inference mode, got {', '.join(other)}; a port has both modes: leave it out")
    if isinstance(module, linen.Module) and inputs:
        model: Any = LinenModel(module, inputs[0], options)
        examples = inputs[1:]
    elif isinstance(module, nnx.Module):
        model, examples = NnxModel(module, options), inputs
    else:
        raise PortError(f"a Linen module and its variables, or a live NNX module, got {type(module).__name__}")
    if not examples:
        raise PortError("example inputs: from_flax(module, variables, x), or from_flax(nnx_module, x)")
    reference = JaxReference(model, examples)
    lowering = lambda inputs, apart, opened: FlaxLowering(model, inputs, apart, opened)
    return ported(lowering, reference, "flax", partial)
