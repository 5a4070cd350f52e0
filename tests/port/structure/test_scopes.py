"""Flat models: modules from the layers' names, and words for what builders write out."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compose import (
    add,
    add_constant,
    batch_norm,
    compose_seq,
    conv,
    depthwise_conv,
    fc,
    hard_sigmoid,
    pad,
    relu6,
    residual,
    scale,
    share,
    tanh,
)  # fmt: skip
from compose.port.ir.weights import View
from compose.port.structure import recover
from compose.port.structure.name_scopes import scoped
from tests.port.structure.build import Build, check, f64
from tests.port.structure.test_any_graph import WIDTH, agrees, any_graph


@pytest.fixture(autouse=True)
def _double(x64):
    pass


def flat_block(b: Build, x: int, at: str, act: str, skip: bool, hidden: int = 6) -> int:
    h = b(tanh, b(batch_norm(), b(fc(hidden), x, at=f"{at}expand"), at=f"{at}expand_bn"), at=act)
    h = b(batch_norm(), b(fc(3), h, at=f"{at}project"), at=f"{at}project_bn")
    return b(add, x, h, at=f"{at}add") if skip else h


def test_layers_with_one_number_are_one_block():
    b = Build(f64(3))
    h = b(fc(3, tanh), 0, at="stem")
    for i in range(4):
        h = flat_block(b, h, f"inverted_block_{i}_" if i else "inverted_block_", f"act_{i}", skip=i > 1)
    made = check(b, b(fc(2), h, at="head"), repeats=False)
    block = compose_seq(fc(6), batch_norm(), tanh, fc(3), batch_norm())
    stem, head = fc(3, tanh, name="stem"), fc(2, name="head")
    assert made.net == compose_seq(stem, block, block, residual(block), residual(block), head)
    assert made.words[block] == made.words[residual(block)] == "inverted_block"


def test_stages_have_blocks():
    b = Build(f64(3))
    h = 0
    for stage in ("conv2", "conv3"):
        for i in (1, 2):
            at = f"{stage}_block{i}_"
            h = flat_block(b, h, at, f"{at}act", skip=True, hidden=int(stage[-1]))
    net = check(b, h, repeats=False).net
    assert [(part.name, len(part.layers)) for part in net.layers] == [("conv2", 2), ("conv3", 2)]


def test_names_without_a_second_of_their_kind_are_no_scopes():
    b = Build(f64(3))
    flat_block(b, 0, "part_1_", "act", skip=True)
    assert scoped(b.ops) == b.ops


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_any_names_keep_what_is_computed(data):
    from dataclasses import replace

    with jax.enable_x64(True):
        b = Build(jax.ShapeDtypeStruct((2, WIDTH), np.float64))
        output = any_graph(data.draw, b)
        output = b(fc(WIDTH), any_graph(data.draw, b))
        names = st.sampled_from(["a_1_x", "a_2_x", "a_1_b_2_y", "a_1_b_1_y", "a_2_b_1_y", "a_x", "tanh", ""])
        for i, op in enumerate(b.ops):
            name = data.draw(names)
            b.ops[i] = replace(op, path=(name,) if name else (), classes=("Layer",) if name else ())
        agrees(b, output, data.draw(st.booleans()))


@pytest.mark.parametrize(
    ("widths", "padding"),
    [(((1, 1), (1, 1)), 1), (2, 2), ((1, 2), (1, 2)), (((0, 1), (0, 1)), ((0, 1), (0, 1))), ((0, 0), 0)],
)
def test_zeros_before_a_window_are_its_padding(widths, padding):
    b = Build(f64(5, 5, 2))
    h = b(pad(widths), 0, at="pad")
    h = b(conv(3, 3, stride=2, padding="valid"), h, at="conv")
    h = b(depthwise_conv(2, padding="valid"), b(pad(((1, 0), (0, 1))), h))
    check(b, h, conv(3, 3, stride=2, padding=padding) >> depthwise_conv(2, padding=((1, 0), (0, 1))))


@pytest.mark.parametrize("before", [pad(1, value=1.0), pad(1, mode="edge"), pad(((1, -1), (0, 0)))])
def test_other_padding_stays(before):
    b = Build(f64(5, 5, 2))
    check(b, b(conv(3, 3, padding="valid"), b(before, 0)), before >> conv(3, 3, padding="valid"))


def test_padding_before_one_of_two_calls_stays():
    b = Build(f64(5, 5, 2))
    views = {"kernel": View("conv.kernel"), "bias": View("conv.bias")}
    over = conv(2, 3, padding="valid")
    h = b(over, b(pad(1), 0), weights=views)
    check(b, b(over, h, weights=views), share(over, lambda e: compose_seq(pad(1), e, e)))


def test_a_hard_sigmoid_by_hand_has_its_word():
    b = Build(f64(3))
    h = b(add_constant(value=3.0), b(fc(4), 0))
    check(b, b(scale(by=1 / 6), b(relu6, h)), fc(4, hard_sigmoid))
    b = Build(f64(3))
    h = b(relu6, b(add_constant(value=3.0), b(fc(4), 0)))
    net = recover(b.graph((b(scale(by=1 / 6), h), h))).net
    assert "hard_sigmoid" not in str(net)
