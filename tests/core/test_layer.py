"""Layers are values: equality, hashing, copies and pickles."""

import copy
import pickle
import subprocess
import sys

import pytest

import compose
from compose import (
    branch,
    compose_seq,
    concat,
    conv,
    dropout,
    fc,
    frozen,
    graph,
    normal,
    relu,
    repeat,
    residual,
    share,
    softmax,
    tanh,
)
from compose.core.errors import ConfigError

NETS = [
    compose_seq(fc(5, relu, name="a"), dropout(0.1), fc(3, kernel_init=normal(stddev=0.02))),
    branch(fc(3), softmax(axis=0), join=concat(axis=0)),
    residual(conv(3, (3, 3), padding=((1, 1), (2, 0)))),
    repeat(3, frozen(fc(3, tanh)), unroll=3),
    share(fc(3), lambda e: compose_seq(e, relu, e)),
    graph(lambda x, y: (h := fc(3)(x)) * h + fc(3)(y)),
]


def rebuilt(net):
    return compose.parse(str(net))


@pytest.mark.parametrize("net", NETS, ids=lambda net: net.kind)
def test_equal_networks_are_equal_and_hash_alike(net):
    again = rebuilt(net)
    assert again is not net
    assert again == net and hash(again) == hash(net)
    assert {net: 1}[again] == 1


@pytest.mark.parametrize("net", NETS, ids=lambda net: net.kind)
@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_copies_are_equal(net, copied):
    assert copied(net) == net
    assert str(copied(net)) == str(net)
    assert copied(net).built_at == net.built_at


def test_a_pickle_from_another_process_is_the_same_value():
    code = (
        "import pickle, sys; from compose import *; net = compose_seq(fc(5, relu, name='a'), dropout(0.1)); hash(net);"
        "sys.stdout.buffer.write(pickle.dumps(net))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    net = pickle.loads(done.stdout)
    assert net == compose_seq(fc(5, relu, name="a"), dropout(0.1))
    assert hash(net) == hash(compose_seq(fc(5, relu, name="a"), dropout(0.1)))


@pytest.mark.parametrize(
    "a, b",
    [
        (fc(3), fc(4)),
        (fc(3), fc(3, name="a")),
        (fc(3), fc(3, relu)),
        (fc(3), fc(3, bias=False)),
        (softmax, softmax(axis=0)),
        (compose_seq(fc(3)), compose_seq(fc(3), fc(3))),
        (compose_seq(fc(3)), fc(3)),
        (branch(fc(3), fc(3)), branch(fc(3), fc(3), join=concat)),
        (compose_seq(lambda x: x), compose_seq(lambda x: x)),
    ],
)
def test_different_networks_differ(a, b):
    assert a != b
    assert fc(3) != 3


def test_where_a_layer_was_built_is_no_part_of_its_value():
    a = fc(3)
    b = fc(3)
    assert a.built_at != b.built_at
    assert a == b


def test_a_layer_is_frozen():
    with pytest.raises(AttributeError):
        fc(3).size = 4


def test_a_class_lifts_where_it_needs_no_arguments():
    assert compose_seq(compose.batch_norm) == compose_seq(compose.batch_norm())
    with pytest.raises(ConfigError, match="fc with its arguments"):
        compose_seq(fc)


def test_walk_tells_every_layer_and_its_path():
    net = compose_seq(fc(3, relu, name="a"), repeat(2, residual(frozen(fc(3)))))
    assert [(path, inner.kind) for path, inner in net.walk()] == [
        ("", "seq"),
        ("a", "fc"),
        ("a/activation", "relu"),
        ("repeat_0", "repeat"),
        ("repeat_0", "residual"),
        ("repeat_0/body", "fc"),
        ("repeat_0/body", "fc"),
        ("repeat_0/body/activation", "identity"),
        ("repeat_0/shortcut", "identity"),
    ]
