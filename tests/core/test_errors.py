"""Bad input: each error whole, as a person reads it."""

import inspect
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from compose import (
    compose_seq,
    conv,
    dropout,
    fc,
    frozen,
    leaky_relu,
    parallel,
    parse,
    relu,
    repeat,
    repeat_vector,
    residual,
    share,
    spec,
    tanh,
)
from compose.core import run
from compose.core.errors import (
    ConfigError,
    DtypeError,
    LayerError,
    MissingRng,
    ParamsError,
    ParseError,
    ShapeError,
    expect_rank,
)
from compose.core.layer import Layer, unlisted

HERE = Path(__file__)


def here(offset: int = 0) -> str:
    """The caller's file and line, as an error says it."""
    frame = inspect.currentframe().f_back
    return f"{HERE}:{frame.f_lineno + offset}"


def message(kind: type, call) -> str:
    with pytest.raises(kind) as caught:
        call()
    return str(caught.value)


@unlisted
class image(Layer):
    """A layer for images."""

    def params(self, x):
        expect_rank(x, 4, "(batch, height, width, channels)", "add the missing axes with reshape")
        return {}

    def forward(self, p, x, ctx):
        return x


def test_wrong_rank():
    net = compose_seq(fc(3), residual(compose_seq(fc(3), image())))
    line = here(-1)
    assert (
        message(ShapeError, lambda: net.init(0, 4))
        == f"""\
residual_0/body/image_0: expected an array (batch, height, width, channels), got shape (1, 3)
  layer    image()
  built at {line}
  shapes   input (1, 4) → fc_0 (1, 3) → residual_0/body/fc_0 (1, 3)
  fix      add the missing axes with reshape"""
    )


def test_wrong_feature_count():
    net = compose_seq(fc(3), fc(2), name="net")
    line = here(-1)
    params, state = net.init(0, 4)
    assert (
        message(ParamsError, lambda: net.apply(params, state, jnp.ones((2, 5))))
        == f"""\
fc_0: expected kernel of shape (5, 3) for this input, got (4, 3)
  layer    fc(3)
  built at {line}
  shapes   input (2, 5)
  fix      use an input shaped like that of init, or call init with this input"""
    )


def test_shapes_that_do_not_add_up():
    net = compose_seq(fc(3), repeat(2, residual(compose_seq(relu, fc(2)))))
    line = here(-1)
    assert (
        message(ShapeError, lambda: net.init(0, 4))
        == f"""\
repeat_0: expected equal shapes on both sides of the sum, got body (1, 2), shortcut (1, 3)
  layer    residual(compose_seq(relu, fc(2)))
  built at {line}
  shapes   input (1, 4) → fc_0 (1, 3)
  fix      use a shortcut that changes the shape too, such as fc(...) or conv(..., 1, stride=2)"""
    )


def test_a_repeated_block_that_changes_the_shape():
    net = compose_seq(fc(3), repeat(2, fc(2), name="stack"))
    line = here(-1)
    assert (
        message(ShapeError, lambda: net.init(0, 4))
        == f"""\
stack: expected a block whose output has the shape of its input, got input (1, 3), output (1, 2)
  layer    repeat(2, fc(2), name="stack")
  built at {line}
  shapes   input (1, 4) → fc_0 (1, 3)"""
    )


def test_wrong_dtype():
    net = compose_seq(fc(3), fc(2))
    line = here(-1)
    assert (
        message(DtypeError, lambda: net.init(0, jnp.ones((2, 4), int)))
        == f"""\
fc_0: expected a floating-point input, got shape (2, 4), int32
  layer    fc(3)
  built at {line}
  shapes   input (2, 4) int32
  fix      use x.astype('float32')"""
    )


def test_missing_rng():
    net = compose_seq(fc(3), repeat(2, residual(compose_seq(fc(3), dropout(0.5)))))
    line = here(-1)
    params, state = net.init(0, 4)
    assert (
        message(MissingRng, lambda: net.apply(params, state, jnp.ones((2, 4)), train=True))
        == f"""\
repeat_0/body/dropout_0: expected an rng, since this layer draws random numbers in training, got rng=None
  layer    dropout(0.5)
  built at {line}
  shapes   input (2, 4) → fc_0 (2, 3) → repeat_0/body/fc_0 (2, 3)
  fix      pass one: apply(params, state, x, rng=jax.random.key(0), train=True)"""
    )


def test_missing_rng_inside_what_is_shared():
    net = share(compose_seq(fc(4), dropout(0.5)), lambda e: compose_seq(e, e))
    line = here(-1)
    params, state = net.init(0, 4)
    text = message(MissingRng, lambda: net.apply(params, state, jnp.ones((2, 4)), train=True))
    assert text.startswith("seq_1/shared_0/dropout_0: expected an rng")
    assert f"\n  layer    dropout(0.5)\n  built at {line}\n" in text


def test_unknown_name_in_parse():
    text = message(ParseError, lambda: parse("compose_seq(fc(3), dropuot(0.5))"))
    assert text.startswith("unknown name 'dropuot'; did you mean dropout")
    assert text.endswith(
        "? (register custom functions and layers with @compose.register): line 1, column 20, 'dropuot'"
    )


def test_duplicate_names():
    text = message(ConfigError, lambda: compose_seq(fc(3, name="a"), relu, fc(4, name="a")))
    line = here(-1)
    assert (
        text
        == f"""\
seq: expected names that differ among siblings, got 2 layers called 'a'
  layer    compose_seq(fc(3, name="a"), relu, fc(4, name="a"))
  built at {line}
  fix      rename one"""
    )


def test_a_name_that_another_layer_gets_by_counting():
    text = message(ConfigError, lambda: compose_seq(fc(3, name="fc_1"), fc(4)))
    assert text.startswith("seq: expected names that differ among siblings, got 2 layers called 'fc_1'")


def test_an_argument_of_the_wrong_type():
    text = message(ConfigError, lambda: fc("wide"))
    line = here(-1)
    assert text == f"fc: expected size to be an int, got str 'wide'\n  layer    fc(...)\n  built at {line}"


def test_a_name_that_would_break_paths():
    text = message(ConfigError, lambda: fc(3, name="a/b"))
    assert text.startswith("fc: expected a name that is not empty and has no '/', got 'a/b'")


def test_a_function_that_does_not_fit_says_where_and_what_jax_said():
    net = compose_seq(fc(3), lambda x: x @ jnp.ones((4, 4)))
    line = here(-1)
    text = message(ShapeError, lambda: net.init(0, 4))
    first, *rest = text.splitlines()
    assert first.startswith("lambda_0: expected an input that it can compute on, got (1, 3): dot_general requires")
    assert rest == ["  layer    <lambda>", f"  built at {line}", "  shapes   input (1, 4) → fc_0 (1, 3)"]


def test_too_few_inputs():
    net = compose_seq(parallel(fc(2), fc(3)))
    line = here(-1)
    assert (
        message(ShapeError, lambda: net.init(0, 4))
        == f"""\
parallel_0: expected a tuple of 2 inputs, one per layer, got (1, 4)
  layer    parallel(fc(2), fc(3))
  built at {line}
  shapes   input (1, 4)"""
    )


def test_parameters_of_another_network():
    net = compose_seq(fc(5, name="a"), frozen(compose_seq(fc(4), fc(3), name="b")))
    line = here(-1)
    params, state = net.init(0, 6)
    x = jnp.ones((2, 6))
    assert (
        message(ParamsError, lambda: net.apply({}, state, x))
        == f"""\
seq: expected the parameters ['a', 'b'] at the top, got no 'a', 'b'
  layer    compose_seq(fc(5, name="a"), frozen(compose_seq(fc(4), fc(3), name="b")))
  built at {line}
  shapes   input (2, 6)
  fix      use an input shaped like that of init, or call init with this input"""
    )
    broken = {**params, "b": {**params["b"], "fc_1": {"kernel": 1.0, "gain": 2.0}}}
    assert (
        message(ParamsError, lambda: net.apply(broken, state, x))
        == f"""\
b/fc_1: expected the parameters ['kernel', 'bias'] at b/fc_1, got no 'bias', unknown 'gain'
  layer    fc(3)
  built at {line}
  shapes   input (2, 6) → a (2, 5) → b/fc_0 (2, 4)
  fix      use an input shaped like that of init, or call init with this input"""
    )
    text = message(ParamsError, lambda: net.apply({**params, "a": 3}, state, x))
    assert text.startswith("a: expected a dict of parameters with keys ['kernel', 'bias'], got int")


def test_an_equal_network_built_elsewhere_does_not_lend_its_line():
    compose_seq(fc(3), dropout(0.25)).init(0, 4)
    net = compose_seq(fc(3), dropout(0.25))
    line = here(-1)
    params, state = net.init(0, 4)
    assert line in message(MissingRng, lambda: net.apply(params, state, jnp.ones((2, 4)), train=True))
    assert line in message(ParamsError, lambda: net.apply({**params, "fc_0": {}}, state, jnp.ones((2, 4))))


def test_the_same_error_inside_jit():
    net = compose_seq(fc(3), conv(2, 2))
    with pytest.raises(ShapeError, match="conv_0: expected an array"):
        jax.jit(lambda x: net.apply({}, {}, x))(jnp.ones((2, 4)))


def test_float64_data_is_cut_with_one_warning(monkeypatch):
    monkeypatch.setattr(run, "_warned", set())
    with pytest.warns(UserWarning, match="float64 input is computed as float32"):
        fc(3).init(0, np.ones((2, 4)))
    fc(3).init(0, np.ones((2, 4)))


@pytest.mark.parametrize(
    "call, text",
    [
        (lambda: fc(3).init(0), "expected at least one input"),
        (lambda: fc(3)[1:], "fc: expected a path, such as net['head/fc_0']; only sequences have positions"),
        (lambda: compose_seq(fc(1), fc(2))[::2], "seq: expected a slice without a step, since slices keep the order"),
        (lambda: compose_seq(fc(1), fc(2))[7], "seq: expected an index below 2, got 7"),
        (lambda: compose_seq(fc(1), fc(2))["fc_5/x"], "seq: expected one of the layers fc_0, fc_1, got 'fc_5'"),
        (lambda: fc(3).but(depth=1), "fc: expected one of the fields name, size"),
        (lambda: fc(3)(jnp.ones((2, 4))), "fc: expected init and apply, since this layer has parameters"),
        (lambda: compose_seq(3), "expected a layer or a function, got int 3"),
        (
            lambda: relu(0.5),
            "expected options by name, as in relu(max_value=0.5) (it takes max_value, negative_slope, threshold), got "
            "relu(0.5)",
        ),
        (
            lambda: leaky_relu(0.1),
            "expected options by name, as in leaky_relu(negative_slope=0.1), got leaky_relu(0.1)",
        ),
        (lambda: leaky_relu(alpha=0.1), "expected an option that leaky_relu takes (negative_slope), got 'alpha'"),
        (lambda: repeat_vector(5), "expected options by name, as in repeat_vector(times=5), got repeat_vector(5)"),
        (lambda: tanh(0.1), "expected tanh without a number, since it takes no options, got tanh(0.1)"),
        (lambda: tanh(slope=1), "expected an option that tanh takes (none), got 'slope'"),
        (lambda: repeat(0, fc(3)), "repeat: expected times and unroll of at least 1, got 0, None"),
        (lambda: dropout(1.5), "dropout: expected a rate from 0 to 1, got 1.5"),
        (lambda: relu.init(0, spec(3, dtype=int)), "relu: expected a floating-point input, got int32"),
    ],
)
def test_the_first_line_says_it(call, text):
    assert message(LayerError, call).startswith(text)


def test_an_activation_that_does_not_fit_is_named():
    net = compose_seq(fc(3), fc(4, image()))
    line = here(-1)
    assert (
        message(ShapeError, lambda: net.init(0, 4))
        == f"""\
fc_1/activation: expected an array (batch, height, width, channels), got shape (1, 4)
  layer    image()
  built at {line}
  shapes   input (1, 4) → fc_0 (1, 3)
  fix      add the missing axes with reshape"""
    )


def test_no_input_is_told_what_one_is():
    with pytest.raises(ConfigError, match=r"(?s)at least one input.*fix      an array, or its shape"):
        fc(3).init(0)
