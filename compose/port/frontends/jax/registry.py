"""The built-in rules of the JAX front end, by the names of JAX's operations: `jax.dot_general`."""

from __future__ import annotations

from compose.port.lowering.registry import Registry

registry = Registry("compose.port.frontends.jax.rules")
rule, rules, named_rule = registry.rule, registry.rules, registry.named
