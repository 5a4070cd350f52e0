"""Weights that several operations use are shared by name, or refused."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from compose import (
    add,
    compose_seq,
    embedding,
    fc,
    multiply,
    share,
    sigmoid,
    spec,
    tanh,
)  # fmt: skip
from compose.core.errors import PortError
from compose.port.ir.weights import View
from compose.port.structure import recover
from tests.port.structure.build import Build, check, f64


@pytest.fixture(autouse=True)
def _double(x64):
    pass


def test_a_layer_that_runs_twice_is_shared():
    b = Build(f64(3), f64(3))
    weights = {"kernel": View("tower.kernel"), "bias": View("tower.bias")}
    p, q = (b(fc(4), i, at="tower", classes="Linear", weights=weights) for i in (0, 1))
    made = check(b, b(fc(1), b(multiply, b(tanh, p), b(tanh, q))))
    assert str(made.net).startswith('share(fc(4, tanh, name="tower"), lambda e: compose_seq(parallel(e, e), multiply')


def test_a_tower_that_runs_twice_is_shared_whole():
    b = Build(f64(3), f64(3))
    outs = []
    for i in (0, 1):
        h = i
        for j, size in enumerate((4, 2)):
            views = {k: View(f"tower.{j}.{k}") for k in ("kernel", "bias")}
            h = b(tanh, b(fc(size), h, at=f"tower.{j}", classes="Sequential.Linear", weights=views), at=f"tower.{j}a")
        outs.append(h)
    text = " ".join(str(check(b, b(add, *outs)).net).split())
    assert text.count("fc(") == 2 and text.startswith("share(")


def test_a_module_that_runs_on_its_own_output_is_shared():
    b = Build(f64(3))
    h = 0
    for _ in range(2):
        for j in range(2):
            views = {k: View(f"tower.{j}.{k}") for k in ("kernel", "bias")}
            h = b(fc(3, tanh), h, at=f"tower.{j}", classes="Sequential.Linear", weights=views)
    made = check(b, h)
    tower = compose_seq(fc(3, tanh), fc(3, tanh), name="tower")
    assert made.net == share(tower, lambda e: compose_seq(e, e))


def test_a_tied_projection_is_the_embedding_s_own():
    b = Build(jax.ShapeDtypeStruct((2, 5), np.int32))
    h = b(embedding(7, 3), 0, at="wte", classes="Embedding", weights={"embedding": View("wte.weight")})
    h = b(fc(3, tanh), h, at="hidden", classes="Linear")
    h = b(fc(7, bias=False), h, at="head", weights={"kernel": View("wte.weight", axes=(1, 0))})
    net = share(embedding(7, 3, name="wte"), lambda e: compose_seq(e, fc(3, tanh, name="hidden"), e.attend))
    check(b, h, net)


def test_a_layer_whose_calls_are_followed_differently_is_shared_without_what_follows():
    b = Build(f64(3))
    weights = {"kernel": View("fc.kernel"), "bias": View("fc.bias")}
    h = b(tanh, b(fc(3), 0, at="fc", classes="Linear", weights=weights))
    h = b(fc(3), h, at="fc", classes="Linear", weights=weights)
    check(b, h, share(fc(3), lambda e: compose_seq(e, tanh, e)))


def test_a_tied_projection_may_have_an_activation():
    b = Build(jax.ShapeDtypeStruct((2, 5), np.int32))
    h = b(embedding(7, 3), 0, at="wte", classes="Embedding", weights={"embedding": View("wte.weight")})
    h = b(tanh, b(fc(7, bias=False), h, at="head", weights={"kernel": View("wte.weight", axes=(1, 0))}))
    check(b, h, share(embedding(7, 3, name="wte"), lambda e: compose_seq(e, e.attend, tanh)))


def test_one_weight_in_layers_that_differ_is_an_error():
    b = Build(f64(3))
    h = b(fc(3, tanh), 0, at="a", weights={"kernel": View("w"), "bias": View("b1")})
    h = b(fc(3, sigmoid), h, at="b", weights={"kernel": View("w"), "bias": View("b2")})
    with pytest.raises(
        PortError, match=r"'w' is used by layers that differ.*fc\(3, tanh\) at a.*fc\(3, sigmoid\) at b"
    ):
        recover(b.graph(h))


def test_weights_that_do_not_fill_the_network_are_an_error():
    b = Build(f64(3))
    h = b(fc(3), 0, at="a", weights={"kernel": View("w"), "bias": View("b1")})
    graph = b.graph(h)
    del graph.ops[0].weights["bias"]
    with pytest.raises(PortError, match="no weight for bias"):
        recover(graph, spec(3))
