"""Batches of a few sizes give what `predict` gives; networks that look across the batch run alone."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from compose import batch_norm, branch, compose_seq, embedding, fc, flatten, graph, relu, softmax, spec
from compose.core.errors import ConfigError
from compose.serve.engine import Engine
from compose.serve.errors import ServeError
from tests.serve.models import trained


def warm(model, most=8):
    engine = Engine(model, most)
    engine.warm_up()
    return engine


def rows(count, *shape):
    return np.random.default_rng(count).normal(size=(count, *shape)).astype(np.float32)


@pytest.mark.parametrize("count", [3, 8, 1, 2, 5, 21])
def test_any_size_gives_what_predict_gives(count):
    model = trained(compose_seq(fc(16, relu), batch_norm(), fc(3, softmax)), 4)
    engine, x = warm(model), rows(count, 4)
    assert engine.independent and engine.sizes == (1, 2, 4, 8)
    (y,) = engine.run([x])
    np.testing.assert_allclose(y, model.predict(x), rtol=0, atol=1e-6)


def test_sizes_end_with_the_largest():
    sizes = {most: Engine(trained(fc(2), 4), most).sizes for most in (1, 2, 3, 32, 48)}
    assert sizes == {1: (1,), 2: (1, 2), 3: (1, 2, 3), 32: (1, 2, 4, 8, 16, 32), 48: (1, 2, 4, 8, 16, 32, 48)}


def test_nothing_is_compiled_after_the_warm_up():
    engine = warm(trained(compose_seq(fc(8, relu), fc(3)), 5))
    with jax.log_compiles(), pytest.MonkeyPatch.context() as patch:
        compiled = []
        patch.setattr("jax._src.compiler.compile_or_get_cached", lambda *a, **k: compiled.append(a))
        for count in range(1, 20):
            engine.run([rows(count, 5)])
    assert compiled == []


CROSS = {
    "mean over the batch": lambda x: x - x.mean(0),
    "divided by the number": lambda x: x / x.shape[0],
    "rolled": lambda x: jax.numpy.roll(x, 1, 0),
    "place in the batch": lambda x: x + jax.numpy.arange(x.shape[0])[:, None],
    "first example": lambda x: x + x[:1] * 0.01,
    "one number": lambda x: x.sum(),
    "transposed": lambda x: x.T,
    "a choice by the largest": lambda x: jax.numpy.where(x.max() > 50, x / 255, x),
    "a choice by the mean": lambda x: jax.lax.cond(x.mean() < -10, lambda x: -x, lambda x: x, x),
    "a choice by all zeros": lambda x: jax.numpy.where((x == 0).all(), 1.0, x),
    "small numbers": lambda x: (x - x.mean(0)) * 1e-7,
}


@pytest.mark.parametrize("name", CROSS)
def test_networks_that_look_across_the_batch_run_each_request_alone(name):
    model = trained(compose_seq(fc(8), CROSS[name]), 4)
    engine, x = warm(model), rows(5, 4)
    assert engine.independent is False
    np.testing.assert_array_equal(engine.run([x])[0], model.predict(x))


def test_a_choice_by_the_largest_integer_of_a_batch_is_seen():
    model = trained(compose_seq(lambda x: jax.numpy.where(x.max() > 1, x / 255, x), fc(2)), spec(3, dtype="uint8"))
    assert warm(model).independent is False


def test_several_inputs_and_outputs_have_names():
    net = compose_seq(graph(lambda a, b: fc(4)(a) * fc(4)(b)), branch(fc(1, name="age"), fc(3, softmax, name="kind")))
    model = trained(net, 3, 2)
    engine = warm(model)
    assert [(s.name, s.shape) for s in engine.inputs] == [("input_0", (3,)), ("input_1", (2,))]
    assert [(s.name, s.shape) for s in engine.outputs] == [("age", (1,)), ("kind", (3,))]
    given = [rows(3, 3), rows(3, 2)]
    for got, want in zip(engine.run(given), model.predict(tuple(given)), strict=True):
        np.testing.assert_allclose(got, want, atol=1e-6)
    with pytest.raises(ServeError, match="different numbers of examples: 3, 2"):
        engine.check([given[0], given[1][:2]])


def test_outputs_have_the_dtype_that_predict_gives():
    model = trained(fc(2), spec(3, dtype="float16"))
    engine, x = warm(model), rows(3, 3).astype(np.float16)
    (y,) = engine.run([x])
    assert engine.outputs[0].datatype == "FP32" and y.dtype == model.predict(x).dtype == np.float32


def test_ids_beyond_the_table_are_refused_without_a_place_in_a_source_file():
    engine = warm(trained(compose_seq(embedding(7, 4), flatten, fc(2)), spec(3, dtype=int)))
    engine.check([np.zeros((1, 3), np.int32)])
    with pytest.raises(ServeError, match=r"ids between 0 and 6, the rows of its table, got 7 at \[0, 2\]") as e:
        engine.check([np.array([[0, 1, 7]], np.int32)])
    assert e.value.status == 400 and ".py" not in str(e.value)


def test_what_the_protocol_has_no_name_for_is_refused():
    with pytest.raises(ConfigError, match="complex64"):
        Engine(trained(compose_seq(fc(4), lambda x: jax.numpy.fft.fft(x)), 4))
