"""Summaries and networks in notebooks."""

from compose import (
    compose_seq,
    conv,
    fc,
    flatten,
    repeat,
    residual,
)


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
