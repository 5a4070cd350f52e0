"""Numbers in JSON as arrays."""

from __future__ import annotations

import numpy as np
import pytest

from compose.serve.errors import ServeError
from compose.serve.tensors import from_json


@pytest.mark.parametrize("data", [[1.5, True], [[1, 2], [False, 4]], [[[True]], [[2]]]])
@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_truth_values_are_no_numbers(data, dtype):
    with pytest.raises(ServeError, match=r"expected (numbers|integers) that fit"):
        from_json("x", data, np.dtype(dtype))


def test_numbers_of_any_depth():
    assert from_json("x", [[1, 2.5], [3, 4]], np.dtype("float32")).tolist() == [[1, 2.5], [3, 4]]
    assert from_json("x", [[True, False]], np.dtype(bool)).tolist() == [[True, False]]
    assert from_json("x", 3, np.dtype("int32")) == 3 and from_json("x", [], np.dtype("float32")).shape == (0,)
