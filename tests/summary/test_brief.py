"""A layer's expression in one row."""

from compose import (
    bidirectional,
    compose_seq,
    lstm,
    relu,
    reshape,
    separable_conv,
)


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
