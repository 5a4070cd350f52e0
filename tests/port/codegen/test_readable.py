"""How many lines the sources of known models take, of at most 100 columns and imports apart."""

from __future__ import annotations

import pytest

from benchmarks.lines import lines_of
from benchmarks.zoo import keras_model, torch_model, torchvision
from compose import port
from tests import zoo

zoo.needs("torchvision")
torchvision()

MOST = {
    "resnet18": 25, "vit_b_16": 25, "densenet121": 30, "mobilenet_v3_small": 40, "shufflenet_v2_x0_5": 36,
    "convnext_tiny": 35, "inception_v3": 85,
}  # fmt: skip


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n in ("resnet18", "vit_b_16") else pytest.mark.slow) for n in MOST]
)
def test_a_source_is_as_short_as_a_person_writes_it(name):
    model, x = torch_model(name)
    short(port.from_torch(model, x[:1]), MOST[name])


@pytest.mark.slow
def test_a_model_without_modules_is_written_in_blocks(monkeypatch):
    keras = pytest.importorskip("keras")
    drawing = keras.initializers.VarianceScaling
    monkeypatch.setattr(drawing, "__call__", drawing.__call__)  # which the benchmark replaces
    short(port.from_keras(keras_model("MobileNetV3Small")), 60)


def short(p, most: int) -> None:
    """The source has few lines, of few columns, and builds the network."""
    source = p.source
    assert lines_of(source) <= most, source
    assert max(map(len, source.splitlines())) <= 100
    scope: dict = {}
    exec(source, scope)
    assert scope["net"] == p.net
