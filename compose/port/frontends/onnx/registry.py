"""The built-in rules of the ONNX front end."""

from __future__ import annotations

from compose.port.lowering.registry import Registry

registry = Registry("compose.port.frontends.onnx.rules")
rule, rules = registry.rule, registry.rules
named_rule = registry.named
