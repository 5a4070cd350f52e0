"""Norms that onnx's reference computes with statistics of the batch, or in float32."""

from __future__ import annotations

import numpy as np
from onnx.reference.op_run import OpRun


class BatchNormalization(OpRun):
    """In inference mode, in any opset: onnx's mixes in the batch's statistics before opset 14."""

    def _run(self, x, scale, bias, mean, var, epsilon=1e-5, **_):
        along = (1, -1, *(1,) * (x.ndim - 2))
        scale, bias, mean, var = (v.reshape(along) for v in (scale, bias, mean, var))
        return (scale * (x - mean) / np.sqrt(var + epsilon) + bias,)


class GroupNormalization(OpRun):
    """Zero mean and unit variance over space and a group of channels."""

    def _run(self, x, scale, bias, epsilon=1e-5, num_groups=1, stash_type=1):
        apart = x.reshape(x.shape[0], num_groups, -1)
        centred = apart - apart.mean(-1, keepdims=True)
        y = centred / np.sqrt(np.square(centred).mean(-1, keepdims=True) + epsilon)
        along = (1, -1, *(1,) * (x.ndim - 2))
        return (y.reshape(x.shape) * scale.reshape(along) + bias.reshape(along),)


OPERATIONS = [BatchNormalization, GroupNormalization]
