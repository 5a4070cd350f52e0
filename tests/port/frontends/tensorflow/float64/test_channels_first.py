"""Channels first in TensorFlow: the port has them last, and the proof too, for no CPU has them first in float64."""

from __future__ import annotations

import numpy as np
import pytest

from compose import port
from tests.port.frontends.tensorflow.test_lower import draw, variable

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.filterwarnings("default")


class Net(tf.Module):
    """A residual network of images in either layout."""

    def __init__(self):
        super().__init__()
        self.stem, self.bias, self.body = variable(3, 3, 3, 6), variable(6), variable(3, 3, 6, 6)
        self.gamma, self.beta, self.mean = variable(6), variable(6), variable(6, trainable=False)
        self.variance = tf.Variable(1 + np.abs(draw(6)), trainable=False)
        self.depthwise, self.up, self.head = variable(3, 3, 12, 1), variable(2, 2, 4, 12), variable(4, 3)

    def __call__(self, x, layout):
        first = layout == "NCHW"
        axis = 1 if first else 3
        spread = lambda n: [1, 1, n, n] if first else [1, n, n, 1]
        wide = lambda n: [[0, 0], *([[0, 0]] if first else []), [n, n], [n, n], *([] if first else [[0, 0]])]
        x = tf.nn.conv2d(x, self.stem, spread(2), "SAME", layout)
        x = tf.nn.relu(tf.nn.bias_add(x, self.bias, layout))
        y = tf.nn.conv2d(tf.pad(x, wide(1)), self.body, 1, "VALID", layout)
        y = tf.compat.v1.nn.fused_batch_norm(
            y, self.gamma, self.beta, self.mean, self.variance, epsilon=1e-3, data_format=layout, is_training=False
        )[0]
        x = tf.concat([tf.nn.elu(x + y), -x], axis)
        x = tf.nn.depthwise_conv2d(x, self.depthwise, spread(1), "SAME", layout)
        x = tf.nn.max_pool2d(x, 2, 2, "VALID", layout) + tf.nn.avg_pool2d(x, 2, 2, "VALID", layout)
        size = [x.shape[0], 4, 4, 4]
        x = tf.nn.conv2d_transpose(x, self.up, size, 2, "SAME", layout)
        return tf.reduce_mean(x, [2, 3] if first else [1, 2]) @ self.head


@pytest.mark.slow
def test_a_network_with_channels_first_is_its_twin():
    net, x = Net(), draw(3, 3, 8, 8)
    ported = port.from_tf(lambda x: net(x, "NCHW"), x)
    twin = port.from_tf(lambda x: net(x, "NHWC"), x.transpose(0, 2, 3, 1))
    assert ported.net == twin.net and "permute" not in str(ported.net)
    assert ported.verify("steps").ok
    ours, _ = ported.net.apply(ported.params, ported.state, x.transpose(0, 2, 3, 1))
    np.testing.assert_allclose(ours, net(tf.constant(x.transpose(0, 2, 3, 1)), "NHWC"), rtol=1e-3, atol=1e-5)


def test_images_that_go_out_and_rows_of_pixels():
    kernel, matrix = variable(3, 3, 3, 4), variable(4 * 6 * 5, 2)
    convolved = lambda x: tf.nn.conv2d(x, kernel, 1, "SAME", "NCHW")
    x = draw(2, 3, 6, 5)
    ported = port.from_tf(convolved, x)
    assert str(ported.net) == "conv(4, 3, bias=False)" and ported.verify().ok
    last = x.transpose(0, 2, 3, 1)  # TensorFlow runs channels first on some CPUs alone
    ours, _ = ported.net.apply(ported.params, {}, last)
    np.testing.assert_allclose(ours, tf.nn.conv2d(last, kernel, 1, "SAME"), rtol=1e-4, atol=1e-5)
    flat = port.from_tf(lambda x: tf.reshape(convolved(x), [x.shape[0], -1]) @ matrix, x)
    assert "permute(0, 3, 1, 2)" in str(flat.net) and flat.verify().ok
