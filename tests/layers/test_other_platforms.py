"""Every layer, and every family's training step, lowers for GPUs and TPUs, from a machine that has neither."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax
import pytest

from compose.train.distribution import ONE_DEVICE
from compose.train.examples import examples
from compose.train.optimizers import split
from compose.train.scoring import Scoring
from compose.train.train_step import Carry, training_steps
from tests.cases.subject import Subject, cotangent, families
from tests.test_zero_overhead import CASES as NETWORKS

PLATFORMS = ("cuda", "tpu")
CASES = [pytest.param(case, id=f"{family}: {case.id}") for family, cases in families().items() for case in cases]


def in_single(tree):
    return jax.tree.map(lambda a: a.astype(jnp.float32) if a.dtype == jnp.float64 else a, tree)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_every_layer_and_its_gradient(case):
    """In the precisions that those platforms are used with."""
    subject = Subject(case)
    params, state, inputs = in_single((subject.params, subject.state, subject.inputs))
    for precision in (None, "bfloat16"):

        def run(params, floats, rest, state, precision=precision):
            def forward(params, floats):
                x = [floats.get(i, rest.get(i)) for i in range(len(inputs))]
                rng = jax.random.key(0) if subject.train else None
                return subject.layer.apply(params, state, *x, rng=rng, train=subject.train, precision=precision)

            y, back, after = jax.vjp(forward, params, floats, has_aux=True)
            return y, back(cotangent(y)), after

        is_float = {i: jnp.issubdtype(a.dtype, jnp.floating) for i, a in enumerate(inputs)}
        floats, rest = ({i: a for i, a in enumerate(inputs) if is_float[i] is kind} for kind in (True, False))
        lowered = jax.jit(run).trace(params, floats, rest, state).lower(lowering_platforms=PLATFORMS)
        assert "func.func public @main" in lowered.as_text()


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("name", ["mlp", *(pytest.param(n, marks=pytest.mark.slow) for n in NETWORKS if n != "mlp")])
def test_training_steps(name, platform):
    case = NETWORKS[name]
    params, state = case.net.init(0, case.x)
    training, fixed = split(case.net, params)
    optimizer = optax.adam(1e-3)
    loss = "mse" if case.target.dtype == jnp.float32 else "cross_entropy"
    scores = Scoring(case.net, examples(case.x, case.target), loss).scores
    run = training_steps(case.net, scores, optimizer, jnp.dtype("bfloat16"), None, ONE_DEVICE).jitted
    carry = Carry(training, optimizer.init(training), state, jnp.int32(0))
    arrays, order = (case.x, case.target), jnp.arange(len(case.x))
    traced = run.trace(carry, scores.start(2), (fixed, jax.random.key(0)), arrays, order, 0, 0, 2, size=2)
    text = traced.lower(lowering_platforms=(platform,)).as_text()
    assert "stablehlo.while" in text and "bf16" in text
