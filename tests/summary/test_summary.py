"""The summary: what its rows and totals say, that it makes no arrays, and how it prints."""

import io

import jax
import jax.numpy as jnp
import pytest
from rich.console import Console

import compose
from compose import (
    batch_norm,
    bidirectional,
    branch,
    cast,
    compose_seq,
    concat,
    conv,
    dropout,
    fc,
    flatten,
    frozen,
    graph,
    layer_norm,
    lora,
    lstm,
    relu,
    repeat,
    reshape,
    residual,
    separable_conv,
    share,
    sigmoid,
    softmax,
    spec,
)

autoencoder = compose_seq(
    fc(250, relu, name="e1"), fc(50, relu, name="e2"), fc(250, relu, name="d1"), fc(784, sigmoid, name="d2")
)
block = residual(compose_seq(layer_norm(), fc(512, relu), dropout(0.1), fc(128)))


def test_a_row_says_path_layer_output_parameters_and_flops():
    row = autoencoder.summary(784).rows[1]
    assert (row.path, row.layer, row.out.shape) == ("e2", "fc(50, relu)", (1, 50))
    assert row.parameters == 250 * 50 + 50
    assert row.flops == 2 * 250 * 50 + 50 + 50


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


def test_rows_at_the_top_sum_to_the_totals():
    net = compose_seq(fc(128), repeat(3, block), residual(fc(128)), branch(fc(3), fc(4), join=concat()), fc(2))
    made = net.summary(spec(16, 128))
    top = [row for row in made.rows if row.depth == 0]
    assert sum(row.parameters for row in top) == made.parameters
    assert sum(row.flops for row in top) == made.flops
    params, _ = net.init(0, jnp.zeros((1, 16, 128)))
    assert made.parameters == sum(leaf.size for leaf in jax.tree.leaves(params))


def test_every_path_finds_its_layer():
    net = compose_seq(fc(128), repeat(3, block), frozen(residual(fc(128))), name="net")
    for row in net.summary(spec(16, 128)).rows:
        assert net[row.path] is not None


def test_what_is_shared_counts_its_parameters_once_and_its_uses_each():
    net = share(fc(8), lambda e: compose_seq(e, relu, e))
    made = net.summary(8)
    assert made.parameters == 72
    assert [(r.label, r.layer, r.flops) for r in made.rows] == [
        ("fc_0", "e = fc(8)", 0),
        ("seq_0", "compose_seq(…)", 280),
        ("shared_0", "e", 136),
        ("relu_0", "relu", 8),
        ("shared_1", "e", 136),
    ]


def test_words_that_stand_for_expressions_show_what_they_hold():
    made = compose_seq(separable_conv(16, 3, relu), reshape(-1, 16), bidirectional(lstm(4))).summary((8, 8, 3))
    assert [(row.path, row.layer) for row in made.rows] == [
        ("separable_conv_0", "separable_conv(16, 3, relu)"),
        ("separable_conv_0/depthwise", "depthwise_conv(3, bias=False)"),
        ("separable_conv_0/pointwise", "conv(16, 1, relu)"),
        ("reshape_0", "reshape(-1, 16)"),
        ("bidirectional_0", "bidirectional(…)"),
        ("bidirectional_0/forward", "lstm(4)"),
        ("bidirectional_0/backward", "lstm(4, reverse=True)"),
        ("bidirectional_0/join", "concat"),
    ]


def test_a_graph_has_a_row_for_each_step():
    made = graph(lambda x, c: (h := fc(64, relu)(x)) * fc(64, sigmoid)(c) + h).summary(8, 9)
    assert [row.layer for row in made.rows] == ["fc(64, relu)", "fc(64, sigmoid)", "multiply", "add"]


def test_trainable_and_frozen():
    net = compose_seq(frozen(fc(4)), lora(fc(4), rank=2))
    made = net.summary(4)
    assert (made.parameters, made.frozen, made.trainable) == (20 + 20 + 16, 40, 16)


def test_bytes_and_output_follow_the_dtypes():
    made = compose_seq(fc(4), cast(fc(4), "bfloat16")).summary(spec(4, dtype="bfloat16"))
    assert made.parameter_bytes == 40 * 2
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


def test_html_escapes_names():
    net = compose_seq(fc(3, name="<script>alert(1)</script>".replace("/", "")), conv(2, 1, name="a&b"))
    page = net._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page and "a&amp;b" in page
    table = compose_seq(fc(3, name="<b>")).summary(4)._repr_html_()
    assert "<b>" not in table
    assert "&lt;b&gt;" in table and "<td" in table


def test_html_shows_every_layer_by_its_key():
    page = compose_seq(conv(2, 3, name="stem"), repeat(2, residual(conv(2, 3))), flatten, fc(10))._repr_html_()
    for text in ("stem", "repeat_0", "body", "flatten_0", "fc_0"):
        assert text in page


def test_a_network_that_does_not_fit_is_the_same_error_as_elsewhere():
    with pytest.raises(compose.LayerError, match="conv_1: expected an array"):
        compose_seq(conv(3, 3), flatten, conv(3, 3)).summary((8, 8, 1))
