"""Constants that an expression may use: dtypes, and the floats without a literal."""

import math

import jax.numpy as jnp

from compose.core.registry import add_word

bfloat16, float16, float32, float64 = jnp.bfloat16, jnp.float16, jnp.float32, jnp.float64
int8, int32, uint8 = jnp.int8, jnp.int32, jnp.uint8

DTYPES = ("bfloat16", "float16", "float32", "float64", "int8", "int32", "uint8")

for _name in DTYPES:
    add_word(_name, globals()[_name])
add_word("inf", math.inf)
add_word("nan", math.nan)
