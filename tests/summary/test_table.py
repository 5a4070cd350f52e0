"""The table of a summary: totals, dtypes, and how it prints; no arrays are created."""

import io

import jax
import jax.numpy as jnp
import pytest
from rich.console import Console

import compose
from compose import (
    batch_norm,
    cast,
    compose_seq,
    conv,
    dropout,
    fc,
    flatten,
    frozen,
    layer_norm,
    lora,
    relu,
    repeat,
    residual,
    sigmoid,
    softmax,
    spec,
)

autoencoder = compose_seq(
    fc(250, relu, name="e1"), fc(50, relu, name="e2"), fc(250, relu, name="d1"), fc(784, sigmoid, name="d2")
)
block = residual(compose_seq(layer_norm(), fc(512, relu), dropout(0.1), fc(128)))


def test_the_table_of_the_autoencoder(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert (
        str(autoencoder.summary(784))
        == """\
path  layer             output  parameters   FLOPs
e1    fc(250, relu)     (250,)     196,250   392 k
e2    fc(50, relu)      (50,)       12,550  25.1 k
d1    fc(250, relu)     (250,)      12,750  25.5 k
d2    fc(784, sigmoid)  (784,)     196,784   394 k

parameters  418,334 (1.67 MB)
FLOPs       837 k, one example"""
    )


def test_repeats_and_equal_neighbours_are_one_row_and_their_inside_is_told_once(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    net = compose_seq(fc(128), repeat(12, block), *[block] * 3, frozen(fc(10)), batch_norm(), softmax)
    assert (
        str(net.summary(spec(16, 128)))
        == """\
path              layer                    output        parameters   FLOPs
fc_0              fc(128)                  (1, 16, 128)      16,512   526 k
repeat_0 × 12     repeat(12, residual(…))  (1, 16, 128)   1,583,616  50.8 M
  body            compose_seq(…)           (1, 16, 128)     131,968  4.23 M
    layer_norm_0  layer_norm()             (1, 16, 128)         256  14.4 k
    fc_0          fc(512, relu)            (1, 16, 512)      66,048  2.11 M
    dropout_0     dropout(0.1)             (1, 16, 512)
    fc_1          fc(128)                  (1, 16, 128)      65,664  2.10 M
residual_0…2 × 3  residual(…)              (1, 16, 128)     395,904  12.7 M
  body            compose_seq(…)           (1, 16, 128)     131,968  4.23 M
    layer_norm_0  layer_norm()             (1, 16, 128)         256  14.4 k
    fc_0          fc(512, relu)            (1, 16, 512)      66,048  2.11 M
    dropout_0     dropout(0.1)             (1, 16, 512)
    fc_1          fc(128)                  (1, 16, 128)      65,664  2.10 M
fc_1              frozen(fc(10))           (1, 16, 10)        1,290  41.1 k
batch_norm_0      batch_norm()             (1, 16, 10)           20     510
softmax_0         softmax                  (1, 16, 10)                  816

parameters  1,997,342 (7.99 MB): 1,996,052 trainable, 1,290 frozen
state       20 (80 B)
FLOPs       64.0 M, one call"""
    )


def test_trainable_and_frozen():
    net = compose_seq(frozen(fc(4)), lora(fc(4), rank=2))
    made = net.summary(4)
    assert (made.parameters, made.frozen, made.trainable) == (20 + 20 + 16, 40, 16)


def test_bytes_and_output_follow_the_dtypes():
    made = compose_seq(fc(4), cast(fc(4), "bfloat16")).summary(spec(4, dtype="bfloat16"))
    assert made.parameter_bytes == 40 * 4, "parameters are in float32 unless a layer asks for less"
    made = cast(fc(4), "bfloat16").summary(4)
    assert made.parameter_bytes == 20 * 4
    assert made.rows[0].out.dtype == jnp.bfloat16
    assert "(4,) bfloat16" in str(made)


def test_a_network_too_large_for_any_machine_makes_no_arrays():
    before = {id(a) for a in jax.live_arrays()}
    made = compose_seq(fc(1_000_000, relu), fc(1_000_000), repeat(10, fc(1_000_000))).summary(1_000_000)
    new = [a for a in jax.live_arrays() if id(a) not in before]
    assert made.parameters == 12 * (10**12 + 10**6)
    assert not [a for a in new if a.size > 4]
    assert "12,000,012,000,000 (48.0 TB)" in str(made)


@pytest.mark.parametrize("width", [80, 120])
def test_no_line_is_wider_than_the_terminal(width, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    deep = compose_seq(*[fc(10, relu, kernel_init="he_normal", name="a_rather_long_name_for_a_layer")] * 1)
    for _ in range(8):
        deep = residual(compose_seq(deep, fc(10, kernel_init="he_normal", bias_init="he_normal")))
    text = str(deep.summary(10))
    assert max(map(len, text.splitlines())) <= width
    assert "…" in text
    assert all(row.rstrip().endswith(("k", "0")) or row.rstrip()[-1].isdigit() for row in text.splitlines()[1:-4])


def test_rich_prints_the_same_table():
    console = Console(width=100, file=io.StringIO())
    console.print(autoencoder.summary(784))
    assert console.file.getvalue().split() == str(autoencoder.summary(784)).split()


def test_brackets_in_an_expression_are_no_markup():
    assert "[bold]" in str(compose_seq(fc(2, name="[bold]")).summary(5))


def test_a_network_that_does_not_fit_is_the_same_error_as_elsewhere():
    with pytest.raises(compose.LayerError, match="conv_1: expected an array"):
        compose_seq(conv(3, 3), flatten, conv(3, 3)).summary((8, 8, 1))
