"""Locating an error: the layer at a path, and the shapes up to there."""

from compose import compose_seq, fc, frozen, relu, share, spec
from compose.core.errors import LayerError
from compose.core.place import locate
from compose.core.plan import plan


def located(net, *path):
    return locate(LayerError("a test"), net, plan(net, spec(4)), path)


def test_the_layer_at_a_path_and_the_shapes_before_it():
    error = located(compose_seq(fc(3), relu, fc(2, name="head")), "head")
    assert error.layer == fc(2, name="head") and error.path == ("head",)
    assert [(key, x.shape) for key, x in error.trail] == [("input", (1, 4)), ("fc_0", (1, 3)), ("relu_0", (1, 3))]


def test_wrappers_add_nothing_to_the_path():
    error = located(compose_seq(frozen(compose_seq(fc(3), fc(2), name="b"))), "b", "fc_1")
    assert error.layer == fc(2) and error.path == ("b", "fc_1")
    assert [key for key, _ in error.trail] == ["input", "b/fc_0"]


def test_a_path_that_ends_early_names_the_last_layer_on_it():
    error = located(compose_seq(fc(3), fc(2)), "fc_0", "kernel")
    assert error.layer == fc(3) and error.path == ("fc_0",)


def test_a_use_of_a_shared_layer_names_that_layer():
    error = located(share(fc(4), lambda e: compose_seq(e, e)), "seq_0", "shared_0")
    assert error.layer == fc(4)
