# ruff: noqa: F401
"""A functional layer language for JAX: a network is one expression, compiled to pure functions."""

import importlib as _importlib
from types import ModuleType
from typing import TYPE_CHECKING, Any

from compose import ops
from compose.combinators import *
from compose.combinators.recurrent import *
from compose.combinators.steps import *
from compose.core.constants import bfloat16, float16, float32, float64, int8, int32, uint8
from compose.core.editing import named
from compose.core.errors import ComposeError, LayerError
from compose.core.function import register
from compose.core.hooks import hooks as _hooks
from compose.core.layer import Layer, StatefulLayer, layer
from compose.core.param import Param
from compose.core.parsing import parse
from compose.core.run import spec
from compose.layers.activation.basic import *
from compose.layers.activation.slopes import *
from compose.layers.activation.smooth import *
from compose.layers.activation.softmax import *
from compose.layers.alignment import *
from compose.layers.attention.decoding import *
from compose.layers.attention.dot_product import *
from compose.layers.attention.multi_head import *
from compose.layers.attention.score import *
from compose.layers.attention.window import *
from compose.layers.attention.window_cosine import *
from compose.layers.augment.area import *
from compose.layers.augment.color import *
from compose.layers.augment.elastic import *
from compose.layers.augment.flip_crop import *
from compose.layers.augment.mix import *
from compose.layers.augment.perspective import *
from compose.layers.augment.policy import *
from compose.layers.augment.warp import *
from compose.layers.conv.conv import *
from compose.layers.conv.given import *
from compose.layers.conv.transpose import *
from compose.layers.dense import *
from compose.layers.dropout import *
from compose.layers.einsum import *
from compose.layers.elementwise import *
from compose.layers.embedding import *
from compose.layers.encode import *
from compose.layers.gamma import *
from compose.layers.grid_sample import *
from compose.layers.histogram import *
from compose.layers.indexing import *
from compose.layers.initializers import *
from compose.layers.join import *
from compose.layers.learned import *
from compose.layers.mixture import *
from compose.layers.noise import *
from compose.layers.norm.batch import *
from compose.layers.norm.group import *
from compose.layers.norm.local import *
from compose.layers.norm.renorm import *
from compose.layers.norm.standard import *
from compose.layers.norm.weight import *
from compose.layers.pad import *
from compose.layers.patches import *
from compose.layers.pixel import *
from compose.layers.pool.global_pool import *
from compose.layers.pool.unpool import *
from compose.layers.pool.window import *
from compose.layers.position import *
from compose.layers.recurrent.conv import *
from compose.layers.recurrent.gru import *
from compose.layers.recurrent.lstm import *
from compose.layers.recurrent.simple import *
from compose.layers.reduce import *
from compose.layers.resize import *
from compose.layers.shape import *
from compose.layers.spectrogram import *
from compose.layers.take import *
from compose.layers.transformer import *

if TYPE_CHECKING:
    from compose import data, distributed, export, flax, plots, port, ray, sharding, train
    from compose.sharding import shardings
    from compose.train import (
        Trained,
        callbacks,
        checkpoint,
        cross_validate,
        fit,
        generate,
        load,
        losses,
        lr_find,
        metrics,
        schedules,
    )  # fmt: skip

__version__ = "0.1.0"

# What loads on first use: optax, scikit-learn, rich and the frameworks are imported only when they are needed.
_MODULES = ("data", "distributed", "export", "flax", "plots", "port", "ray", "sharding", "train")
_OF_TRAIN = (
    "Trained", "callbacks", "checkpoint", "cross_validate", "fit", "generate", "load", "losses", "lr_find", "metrics",
    "schedules",
)  # fmt: skip
_NAMES = dict.fromkeys(_OF_TRAIN, "train") | {"shardings": "sharding"}


def _module(name: str) -> ModuleType:
    return _importlib.import_module(f"compose.{name}")


_hooks.later(
    fit=lambda: _module("train").fit,
    summary=lambda: _module("summary").summary,
    profile=lambda: _module("summary").profile,
    diagram=lambda: _module("summary").diagram,
    html=lambda: _module("summary").html,
    report=lambda: _module("report").report,
    export=lambda: _module("export").export,
)


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return _module(name)
    if name in _NAMES:
        return getattr(_module(_NAMES[name]), name)
    raise AttributeError(f"module 'compose' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES, *_NAMES})
