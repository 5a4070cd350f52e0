"""The built-in rules of the Keras front end."""

from __future__ import annotations

from compose.port.lowering.registry import Registry

registry = Registry("compose.port.frontends.keras.rules")
rule, rules = registry.rule, registry.rules
named_rule, class_rule = registry.named, registry.of_class
