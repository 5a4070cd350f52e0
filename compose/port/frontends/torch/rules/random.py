"""Dropout, noise and augmentation."""

from __future__ import annotations

from compose.core.errors import PortError
from compose.core.registry import word
from compose.layers.dropout import dropout
from compose.port.frontends.torch.registry import rule, rules


def _refuse_always(node, train: bool) -> None:
    if train:
        name = str(node.target).split(".")[1]
        raise PortError(f"{name} in training alone, got it in inference too: {name}(x, p, training=self.training)")


@rule("aten.dropout")
def _dropout(low, node, x, rate, train):
    _refuse_always(node, train and rate > 0)
    return low.emit(dropout(rate), x) if rate > 0 else x


@rule("aten.alpha_dropout")
def _alpha_dropout(low, node, x, rate, train):
    _refuse_always(node, train and rate > 0)
    return low.emit(word("alpha_dropout")(rate), x) if rate > 0 else x


@rules("aten.feature_dropout")
def _feature_dropout(low, node, x, rate, train):
    _refuse_always(node, train and rate > 0)
    x = low.channels_last(x)
    return low.emit(dropout(rate, shared_axes=tuple(range(1, x.ndim - 1))), x)


@rule("torchvision.ops.stochastic_depth.StochasticDepth")
def _stochastic_depth(low, call, x):
    module = call.module
    if module.p == 0:
        return x
    if module.mode != "row":
        raise PortError("stochastic depth of single examples (mode='row'), got one draw for the whole batch")
    return low.emit(word("drop_path")(module.p), x, shape=x.shape)
