"""Resizing of images by TensorFlow, new and old: in float64 by formulas that agree with its own operations."""

from __future__ import annotations

import numpy as np
import pytest

from compose import port
from compose.core.errors import PortError
from tests.port.frontends.tensorflow.test_lower import draw

tf = pytest.importorskip("tensorflow")
v1 = tf.compat.v1
pytestmark = pytest.mark.filterwarnings("default")

BICUBIC = 2e-3  # TensorFlow's own, whose coefficients come from a table


def by(method, size=(9, 5), **options):
    return lambda x: tf.image.resize(x, size, method, **options)


def old(kind, size=(9, 5), **options):
    return lambda x: getattr(v1.image, f"resize_{kind}")(x, size, **options)


CASES = {
    "resize((9, 5))": by("bilinear"),
    "resize((3, 5), antialias=True)": by("bilinear", (3, 5), antialias=True),
    'resize((9, 5), method="cubic")': by("bicubic"),
    'resize((3, 5), method="cubic", antialias=True)': by("bicubic", (3, 5), antialias=True),
    'resize((3, 5), method="area")': by("area", (3, 5)),
    'resize((3, 5), method="lanczos3")': by("lanczos3", (3, 5)),
    'resize((3, 5), method="lanczos5", antialias=True)': by("lanczos5", (3, 5), antialias=True),
    'resize((3, 5), method="mitchell", antialias=True)': by("mitchellcubic", (3, 5), antialias=True),
    'resize((3, 5), method="gaussian")': by("gaussian", (3, 5)),
    'resize((9, 5), method="nearest")': by("nearest"),
    "compose_seq(ensure_shape(None, 6, 8, None), upsample())": by("nearest", (12, 16)),
    'resize((9, 5), coordinates="asymmetric")': old("bilinear"),
    'resize((9, 5), coordinates="align_corners")': old("bilinear", align_corners=True),
    "resize(11)": old("bilinear", (11, 11), half_pixel_centers=True),
    'resize((9, 5), method="torch_cubic", coordinates="asymmetric")': old("bicubic"),
    'resize((9, 5), method="torch_cubic", coordinates="align_corners")': old("bicubic", align_corners=True),
    'resize((9, 5), method="nearest", coordinates="asymmetric")': old("nearest_neighbor"),
    'resize((9, 5), method="nearest", coordinates="align_corners")': old("nearest_neighbor", align_corners=True),
}


@pytest.mark.parametrize("text", CASES)
def test_resizing(text):
    x = draw(2, 6, 8, 3)
    ported = port.from_tf(CASES[text], x)
    assert " ".join(str(ported.net).split()) == text
    assert ported.verify("gradients").ok
    ours, theirs = ported.net.apply({}, {}, x)[0], CASES[text](tf.constant(x)).numpy()
    np.testing.assert_allclose(ours, theirs, atol=BICUBIC * np.ptp(x) if "cubic" in text else 1e-5)


def test_resizing_between_layers():
    kernel = tf.Variable(0.3 * draw(3, 3, 3, 4))

    def decoder(x):
        x = tf.image.resize(tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "SAME")), [2 * x.shape[1], 2 * x.shape[2]])
        return tf.image.resize(x, tf.shape(x)[1:3] // 3)

    ported = port.from_tf(decoder, draw(2, 6, 8, 3))
    assert "resize((12, 16)), resize((4, 5))" in " ".join(str(ported.net).split()) and ported.verify("step").ok


def test_a_part_of_an_image():
    with pytest.raises(PortError, match="whole image"):
        port.from_tf(lambda x: tf.raw_ops.ScaleAndTranslate(
            images=x, size=[3, 5], scale=[0.5, 0.625], translation=[1.0, 0.0], kernel_type="triangle", antialias=True
        ), draw(2, 6, 8, 3))  # fmt: skip
