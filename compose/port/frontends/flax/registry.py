"""The built-in rules of the Flax front end, which are those of its modules; `jax` has those of the operations."""

from __future__ import annotations

from compose.port.lowering.registry import Registry

registry = Registry("compose.port.frontends.flax.rules")
rules, rule, class_rule = registry.rules, registry.rule, registry.of_class
