"""Constants of the language: dtypes and floats without a literal."""

import math

import jax.numpy as jnp

import compose
from compose import cast, fc, parse
from compose.core.registry import word


def test_dtypes_are_those_of_jax():
    for name in ("bfloat16", "float16", "float32", "float64", "int8", "int32", "uint8"):
        assert word(name) is getattr(compose, name) is getattr(jnp, name)


def test_expressions_name_them():
    assert str(cast(fc(3), compose.bfloat16)) == "cast(fc(3), bfloat16)"
    assert parse("cast(fc(3), bfloat16)") == cast(fc(3), compose.bfloat16)


def test_floats_without_a_literal():
    assert word("inf") == math.inf and math.isnan(word("nan"))
    assert parse("relu(max_value=inf)") == compose.relu(max_value=math.inf)
