"""The built-in rules of the TensorFlow front end."""

from __future__ import annotations

from compose.port.lowering.registry import Registry

registry = Registry("compose.port.frontends.tensorflow.rules")
rule, rules = registry.rule, registry.rules
named_rule = registry.named
