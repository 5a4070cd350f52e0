"""Cases of elements at places that are values, and of convolutions with a kernel that is one."""

import numpy as np
import torch
import torch.nn.functional as F

from compose import convolve_with, index_axes, index_update, scatter_along_axis
from tests.cases.case import Case
from tests.cases.in_torch import in_torch

X, ROWS, COLUMNS = (4, 3, 5), np.array([2, 0], np.int32), np.array([4, 1], np.int32)
ALONG = np.array([[[0, 3]] * 3, [[1, 2]] * 3, [[4, 0]] * 3, [[2, 3]] * 3], np.int32)
TWICE = np.array([1, 1, 3], np.int32)


def case(layer, fn, *inputs):
    return Case(layer, inputs, in_torch(lambda p, s, *xs: fn(*xs), turned=False))


def _conv(x, kernel, **options):
    return F.conv2d(x.movedim(-1, 1), kernel.permute(3, 2, 0, 1), **options).movedim(1, -1)


def _transposed(x, kernel, **options):
    turned = kernel.permute(2, 3, 0, 1).flip((2, 3))
    return F.conv_transpose2d(x.movedim(-1, 1), turned, **options).movedim(1, -1)


def _scattered(x, at, values, how):
    return x.scatter_reduce(2, at.long(), values, how)


CASES = [
    case(index_axes(), lambda x, i: x[i.long()], X, ROWS),
    case(index_axes(axes=(0, 2)), lambda x, i, j: x[i.long(), :, j.long()], X, ROWS, COLUMNS),
    case(index_update(axes=(0, 2)), lambda x, v, i, j: x.index_put((i.long(), torch.arange(3)[:, None], j.long()), v.T),
         X, (2, 3), ROWS, COLUMNS),
    case(index_update(mode="add"), lambda x, v, i: x.index_add(0, i.long(), v), X, (3, 3, 5), TWICE),
    case(scatter_along_axis(axis=2), lambda x, i, v: x.scatter(2, i.long(), v), X, ALONG, (4, 3, 2)),
    case(scatter_along_axis(axis=2, mode="add"), lambda x, i, v: x.scatter_add(2, i.long(), v), X, ALONG, (4, 3, 2)),
    case(scatter_along_axis(axis=2, mode="max"), lambda *xs: _scattered(*xs, "amax"), X, ALONG, (4, 3, 2)),
    case(convolve_with(stride=2, padding=1), lambda *xs: _conv(*xs, stride=2, padding=1), (2, 7, 6, 4), (3, 2, 4, 5)),
    case(convolve_with(padding=(1, 0), dilation=2, groups=2),
         lambda *xs: _conv(*xs, padding=(1, 0), dilation=2, groups=2), (2, 7, 6, 4), (3, 2, 2, 6)),
    case(convolve_with(stride=2, padding=1, transposed=True, output_padding=1),
         lambda *xs: _transposed(*xs, stride=2, padding=1, output_padding=1), (2, 4, 3, 4), (3, 3, 4, 5)),
]  # fmt: skip
