"""Small models of Hugging Face's transformers and of timm, with random weights, proven to the gradients."""

from __future__ import annotations

import pytest

from benchmarks.zoo import TRANSFORMERS, timm_model, transformer
from compose import port
from tests import zoo

zoo.needs("torchvision", "timm", "transformers")
FAST = ("bert", "gpt2", "llama", "t5")
TIMM = ("vit_tiny_patch16_224", "mixer_s32_224", "repvgg_a0")


@pytest.mark.parametrize(
    "name", [*FAST, *(pytest.param(n, marks=pytest.mark.slow) for n in TRANSFORMERS if n not in FAST)]
)
def test_transformers(name):
    model, *inputs = transformer(name)
    assert port.from_torch(model, *inputs).verify("gradients").ok


@pytest.mark.parametrize("name", [TIMM[0], *(pytest.param(n, marks=pytest.mark.slow) for n in TIMM[1:])])
def test_timm(name):
    model, x = timm_model(name)
    assert port.from_torch(model, x).verify("gradients").ok
