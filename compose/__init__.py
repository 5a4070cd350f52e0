# ruff: noqa: F401
"""A functional layer language for JAX: a network is one expression, compiled to pure functions."""

from typing import TYPE_CHECKING

from compose.combinators import *
from compose.combinators.recurrent import *
from compose.combinators.steps import *
from compose.core.constants import bfloat16, float16, float32, float64, int8, int32, uint8
from compose.core.editing import named
from compose.core.errors import ComposeError, LayerError
from compose.core.function import register
from compose.core.layer import Layer, StatefulLayer, layer
from compose.core.param import Param
from compose.core.parsing import parse
from compose.core.run import spec
from compose.layers.activation import *
from compose.layers.attention import *
from compose.layers.attention_core import *
from compose.layers.attention_score import *
from compose.layers.augment import *
from compose.layers.augment_area import *
from compose.layers.augment_color import *
from compose.layers.augment_elastic import *
from compose.layers.augment_mix import *
from compose.layers.augment_perspective import *
from compose.layers.augment_policy import *
from compose.layers.augment_warp import *
from compose.layers.compare import *
from compose.layers.conv import *
from compose.layers.conv_transpose import *
from compose.layers.decoding import *
from compose.layers.dense import *
from compose.layers.dropout import *
from compose.layers.einsum import *
from compose.layers.elementwise import *
from compose.layers.embedding import *
from compose.layers.encode import *
from compose.layers.histogram import *
from compose.layers.initializers import *
from compose.layers.join import *
from compose.layers.learned import *
from compose.layers.mixture import *
from compose.layers.noise import *
from compose.layers.norm import *
from compose.layers.norm_group import *
from compose.layers.norm_local import *
from compose.layers.norm_weight import *
from compose.layers.order import *
from compose.layers.pad import *
from compose.layers.patches import *
from compose.layers.pixel import *
from compose.layers.pool import *
from compose.layers.pool_global import *
from compose.layers.position import *
from compose.layers.recurrent import *
from compose.layers.recurrent_conv import *
from compose.layers.recurrent_gru import *
from compose.layers.recurrent_lstm import *
from compose.layers.reduce import *
from compose.layers.resize import *
from compose.layers.rounding import *
from compose.layers.shape import *
from compose.layers.slopes import *
from compose.layers.smooth import *
from compose.layers.softmax import *
from compose.layers.spectrogram import *
from compose.layers.take import *
from compose.layers.transformer import *
from compose.layers.trigonometry import *
from compose.layers.unpool import *
from compose.layers.window_attention import *
from compose.layers.window_cosine import *

if TYPE_CHECKING:
    from compose import data, train
    from compose.train import Trained, fit, load

_LATER = {"fit": "train", "load": "train", "Trained": "train"}  # optax and scikit-learn load when they are needed


def __getattr__(name: str):
    import importlib

    if name in ("data", "flax", "port", "train"):
        return importlib.import_module(f"compose.{name}")
    if name in _LATER:
        return getattr(importlib.import_module(f"compose.{_LATER[name]}"), name)
    raise AttributeError(f"module 'compose' has no attribute {name!r}")
