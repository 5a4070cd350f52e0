"""Registries of rules: a user's rule takes precedence, whenever it was registered."""

from __future__ import annotations

import subprocess
import sys

import pytest

from compose.port.lowering import registry
from compose.port.lowering.registry import Registry, rule

BEFORE = """
from compose import leaky_relu, port

port.rule("aten.relu")(lambda low, node, x: low.emit(leaky_relu, x))  # before anything else of the port is imported

import torch

print(port.from_torch(torch.nn.ReLU(), torch.randn(2, 3)).net)
"""


class Base: ...


class Derived(Base): ...


@pytest.fixture
def rules(monkeypatch):
    monkeypatch.setattr(registry, "_custom", {})
    return Registry("tests")


@pytest.mark.slow
def test_a_users_rule_wins_even_if_registered_before_the_built_in_ones():
    pytest.importorskip("torch")
    done = subprocess.run([sys.executable, "-c", BEFORE], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "leaky_relu"


def test_order_does_not_matter(rules):
    first, second, third = print, repr, len
    rule("aten.a")(first)
    rules.rules("aten.a", "aten.b", "aten.c.default")(second)
    rule("aten.b")(third)
    rule("aten.c")(third)  # without the overload
    assert [rules.named(f"aten.{n}.default") for n in "abc"] == [first, third, third]
    assert rules.named("aten.d.default") is None


def test_registries_are_separate_and_share_the_users_rules(rules):
    other = Registry("tests")
    rules.rule("aten.a")(print)
    rule("aten.b")(repr)
    assert other.named("aten.a") is None and other.named("aten.b") is repr


def test_classes_by_the_nearest_base_and_then_the_users(rules):
    rules.rule(f"{__name__}.Derived", outputs=len)(print)
    assert rules.of_class(Derived) is print and rules.find(Derived).outputs is len
    assert rules.of_class(Base) is None
    rule(Base)(repr)
    assert rules.of_class(Base) is repr and rules.of_class(Derived) is print
    rule(Derived)(repr)
    assert rules.of_class(Derived) is repr


def test_a_second_built_in_rule_is_an_error(rules):
    rules.rule("aten.a")(print)
    with pytest.raises(ValueError, match=r"two built-in rules for aten\.a"):
        rules.rule("aten.a")(repr)
