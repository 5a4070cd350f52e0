"""Attention written out, and what looks like it."""

from __future__ import annotations

import pytest

from compose import add, fc, matmul, permute, reshape, scale, softmax
from tests.port.structure.recognize.proof import recognized
from tests.port.structure.recognize.test_activation import chain


def heads(b, x):
    return chain(b, x, reshape(-1, 2, 3), permute(0, 2, 1, 3))


def attention(b, x, axis=-1, by=3**-0.5, before=None, on_keys=None, twice=False, maps=(1, 1, 1)):
    q, k, v = (chain(b, x, fc(6), *([] if factor == 1 else [scale(by=factor)])) for factor in maps)
    q, k, v = (heads(b, y) for y in (q, k, v))
    q = q if before is None else b(scale(by=before), q)
    k = b(permute(0, 1, 3, 2), k)
    k = k if on_keys is None else b(scale(by=on_keys), k)
    scores = b(scale(by=by), b(matmul, q, k))
    weights = b(softmax if axis == -1 else softmax(axis=axis), scores)
    y = chain(b, b(matmul, weights, v), permute(0, 2, 1, 3), reshape(-1, 6), fc(6))
    return b(add, y, chain(b, weights, permute(0, 2, 1, 3), reshape(-1, 10), fc(6))) if twice else y


SCALED = [
    {},
    {"before": 3**-0.5, "by": 1.0},
    {"before": 3**-0.25, "on_keys": 3**-0.25, "by": 1.0},
    {"maps": (3**-0.5, 1, 1), "by": 1.0},
    {"maps": (3**-0.25, 3**-0.25, 1), "by": 1.0},
]


@pytest.mark.slow
@pytest.mark.parametrize("options", SCALED)
def test_between_linear_maps_it_is_one_layer(options):
    assert recognized(lambda b, x: attention(b, x, **options), (5, 6)) == "multi_head_attention(2)"


@pytest.mark.slow
def test_scales_behind_the_maps_are_one_option_and_those_of_values_stay():
    assert recognized(lambda b, x: attention(b, x, maps=(0.5, 1, 1)), (5, 6)).startswith(
        "multi_head_attention(2, scale=0.28"
    )
    assert "multi_head" not in recognized(lambda b, x: attention(b, x, maps=(1, 1, 0.5)), (5, 6))


def test_another_scale_is_an_option():
    text = recognized(lambda b, x: attention(b, x, by=0.5), (5, 6))
    assert text.startswith("multi_head_attention(2, scale=0.5") or "scaled_dot_product_attention(scale=0.5" in text


def test_numbers_added_to_the_scores_are_an_input():
    def biased(b, x, numbers):
        q, k, v = (heads(b, b(fc(6), x)) for _ in range(3))
        scores = b(scale(by=3**-0.5), b(matmul, q, b(permute(0, 1, 3, 2), k)))
        y = b(matmul, b(softmax, b(add, scores, numbers)), v)
        return chain(b, y, permute(0, 2, 1, 3), reshape(-1, 6), fc(6))

    assert recognized(biased, (5, 6), (2, 5, 5)) == "multi_head_attention(2)"


NEAR_MISSES = {"softmax over the queries": {"axis": 2}, "weights that are read elsewhere": {"twice": True}}


@pytest.mark.parametrize("name", NEAR_MISSES)
def test_a_near_miss_stays(name):
    assert "attention" not in recognized(lambda b, x: attention(b, x, **NEAR_MISSES[name]), (5, 6))


def test_without_heads_it_stays():
    def two_axes(b, x):
        q = b(fc(6), x)
        return b(matmul, b(softmax, b(matmul, q, b(permute(0, 2, 1), q))), q)

    assert "attention" not in recognized(two_axes, (5, 6))
