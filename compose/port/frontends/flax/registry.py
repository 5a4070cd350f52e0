"""The built-in rules of the Flax front end."""

from __future__ import annotations

from compose.port.lowering.registry import Registry

registry = Registry("compose.port.frontends.flax.rules")
rule, rules = registry.rule, registry.rules
named_rule, class_rule = registry.named, registry.of_class
