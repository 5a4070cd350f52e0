"""Fields: values are checked and converted by their annotation."""

import jax
import numpy as np
import pytest

from compose import conv, dropout, fc, normal, relu
from compose.core.errors import ConfigError
from compose.core.fields import fields_of
from compose.core.layer import Layer


def test_fields_take_what_means_the_same():
    assert fc(np.int64(3)) == fc(3)
    assert fc(3, jax.nn.relu) == fc(3, relu) == fc(3, "relu")
    assert fc(3, kernel_init="normal") == fc(3, kernel_init=normal)
    assert conv(3, [3, 3]) == conv(3, (3, 3))
    assert dropout(0) == dropout(0.0)


@pytest.mark.parametrize(
    "build, text",
    [
        (lambda: fc(3.5), "fc: expected size to be an int, got float 3.5"),
        (lambda: fc(True), "fc: expected size to be an int, got bool True"),
        (lambda: fc(3, bias=1), "fc: expected bias to be True or False, got int 1"),
        (lambda: fc(3, kernel_init="relu"), "fc: expected kernel_init to be an Initializer, got str 'relu'"),
        (lambda: dropout(float("nan")), "dropout: expected rate to be a number, got float nan"),
        (lambda: conv(3, (3, "x")), "conv: expected kernel"),
    ],
)
def test_a_value_of_the_wrong_type_is_an_error_that_names_the_field(build, text):
    with pytest.raises(ConfigError) as caught:
        build()
    assert str(caught.value).startswith(text)


def test_layer_fields_are_found_by_their_annotation():
    assert fields_of(fc, Layer) == ("activation",)
    assert fields_of(dropout, Layer) == ()


def test_where_a_layer_was_built_is_outside_the_package():
    assert fc(3).built_at.startswith(__file__)
    assert (fc(3) >> fc(4)).built_at.startswith(__file__)
