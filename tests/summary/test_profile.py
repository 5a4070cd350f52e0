"""The profile: each layer's time on its real input, its FLOPs, and the table."""

from __future__ import annotations

import importlib
import io

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rich.console import Console

from compose import (
    batch_norm,
    compose_seq,
    conv,
    dropout,
    embedding,
    fc,
    flatten,
    frozen,
    layer_norm,
    lstm,
    relu,
    remat,
    repeat,
    residual,
    share,
    softmax,
)
from compose.core.errors import LayerError
from compose.core.plan import plan, specs
from compose.summary.profile import run_path
from compose.summary.rows import rows

module = importlib.import_module("compose.summary.profile")  # beside the function of that name
images = np.random.default_rng(0).normal(size=(4, 12, 12, 3)).astype(np.float32)
ids = np.arange(24).reshape(2, 12) % 9
CNN = compose_seq(conv(8, 3, name="stem"), batch_norm(), relu, residual(conv(8, 3)), flatten, fc(64), fc(10, softmax))
LANGUAGE = share(
    embedding(9, 8),
    lambda e: compose_seq(
        e, repeat(3, compose_seq(residual(compose_seq(layer_norm(), fc(8))), dropout(0.1))), e.attend
    ),
)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Times are not under test, and a large product takes long."""
    monkeypatch.setattr(module, "ROUNDS", 1)
    monkeypatch.setattr(module, "ROUND_SECONDS", 0.0)
    monkeypatch.setattr(module, "SIDES", {"cpu": 64})


def of(net, x, **options):
    return net.profile(*net.init(0, x), x, **options)


def test_every_row_of_the_summary_has_a_time_and_the_flops_add_up():
    made = of(CNN, images)
    summary = CNN.summary(jax.ShapeDtypeStruct(images.shape, jnp.float32))
    assert [t.row.path for t in made.rows] == [r.path for r in summary.rows]
    assert [t.flops for t in made.rows] == [r.flops for r in summary.rows]
    assert all(t.seconds > 0 for t in made.rows)
    assert made.flops == summary.flops == sum(t.flops for t in made.rows if t.row.depth == 0)
    assert made.total == pytest.approx(sum(t.seconds for t in made.rows if t.row.depth == 0))


@pytest.mark.slow
@pytest.mark.parametrize("gradient", [False, True])
@pytest.mark.parametrize(
    "net, x", [(LANGUAGE, ids), (repeat(2, fc(3)), images), (frozen(CNN), images), (fc(3), images),
               (compose_seq(remat(residual(fc(3))), lstm(4) >> fc(2)), images[0])],
    ids=["shared, repeated", "a repeat", "a wrapper", "a leaf", "remat and nested"],
)  # fmt: skip
def test_layers_shared_repeated_and_wrapped(net, x, gradient):
    made = of(net, x, gradient=gradient)
    assert [t.seconds is None for t in made.rows] == [t.row.out is None for t in made.rows]
    assert made.seconds > 0


def test_a_gradient_takes_about_three_times_the_products():
    net, x = compose_seq(fc(32), fc(32), fc(32)), images.reshape(4, -1)[:, :32]
    forward, both = of(net, x), of(net, x, gradient=True)
    products = [2 * 4 * 32 * 32] * 3
    assert [t.flops for t in forward.rows] == [sum(products) + 3 * 4 * 32]  # equal neighbours are one row
    extra = both.flops - forward.flops
    assert extra == pytest.approx(2 * sum(products) - products[0], rel=0.05), "the input of the network has no gradient"


def test_layers_run_on_their_real_input(monkeypatch):
    seen = {}
    real = module._measured

    def measured(call, arrays, *rest):
        seen["/".join(call.ctx.path)] = arrays
        return real(call, arrays, *rest)

    monkeypatch.setattr(module, "_measured", measured)
    net = compose_seq(fc(4, relu), repeat(2, fc(4)), fc(3))
    x = images.reshape(4, -1)
    params, state = net.init(0, x)
    inner = net.intermediates(params, state, x)
    net.profile(params, state, x)
    np.testing.assert_allclose(seen["repeat_0"][2], inner["fc_0"], rtol=1e-6)
    np.testing.assert_allclose(seen["fc_1"][2], inner["repeat_0"], rtol=1e-5)
    np.testing.assert_allclose(seen["repeat_0/1"][2], inner["repeat_0/0"], rtol=1e-5)


def test_where_a_row_runs():
    planned = plan(LANGUAGE, specs(jnp.asarray(ids)))
    paths = {row.path: run_path(planned, row.path)[0] for row in rows(planned)}
    ran = set(LANGUAGE.intermediates(*LANGUAGE.init(0, ids), ids))
    assert {path for row, path in zip(rows(planned), paths.values()) if row.out is not None} <= ran
    assert any("/repeat_0/0/" in path for path in paths.values())


def test_the_table(monkeypatch):
    monkeypatch.setenv("COLUMNS", "90")
    lines = str(of(CNN, images, precision="bfloat16")).splitlines()
    assert lines[0].split() == ["path", "layer", "ms", "share", "FLOPs", "of", "peak"]
    assert lines[1].startswith("stem ") and lines[1].endswith(" %")
    assert [line.split()[0] for line in lines[-4:]] == ["layers", "network", "peak", "measured"]
    assert "forward, bfloat16, on" in lines[-1]
    assert max(map(len, lines)) <= 90
    page = of(CNN, images)._repr_html_()
    assert page.count("<th>") == 6 and "<td" in page
    narrow = io.StringIO()
    Console(file=narrow, width=60, color_system=None).print(of(CNN, images))
    assert max(map(len, narrow.getvalue().splitlines()[:8])) <= 60


def test_the_parameters_must_fit():
    with pytest.raises(LayerError, match="kernel of shape"):
        CNN.profile(*CNN.init(0, images), images[:, :8, :8])
