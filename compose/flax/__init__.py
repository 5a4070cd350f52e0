"""Mix Flax and `compose`: a Flax module as a layer, a network as a Flax module, and conversion of their variables.

>>> import compose, jax
>>> from flax import linen as nn
>>> net = compose.fc(8, compose.relu) >> compose.flax.layer(nn.Dense(3))
>>> net.out(5)
(3,)
>>> module = compose.flax.as_linen(net)
>>> variables = module.init(jax.random.key(0), jax.numpy.ones((1, 5)))
>>> sorted(variables["params"])
['fc_0', 'flax_0']
"""

try:
    import flax as _flax  # noqa: F401
except ImportError:
    raise ImportError("compose.flax needs Flax: pip install 'compose-jax[flax]'") from None

from compose.flax.as_linen import Linen, as_linen
from compose.flax.as_nnx import Nnx, as_nnx
from compose.flax.layers import layer
from compose.flax.linen_layer import LinenLayer
from compose.flax.nnx_layer import NnxLayer
from compose.flax.trees import from_variables, to_variables

__all__ = [
    "Linen", "LinenLayer", "Nnx", "NnxLayer", "as_linen", "as_nnx", "from_variables", "layer", "to_variables",
]  # fmt: skip
