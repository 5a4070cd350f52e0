"""Small models of Hugging Face's transformers and of timm, with random weights, proven to the gradients."""

from __future__ import annotations

import pytest

from benchmarks.zoo import TRANSFORMERS, timm_model, transformer
from compose import port
from compose.core.errors import PortError
from tests import zoo

zoo.needs("torchvision", "timm", "transformers")
FAST = ("bert", "gpt2", "llama", "t5")
TIMM = ("vit_tiny_patch16_224", "mixer_s32_224", "repvgg_a0")
REFUSED = {"swin": "the same numbers for each example", "wav2vec2": "weight_norm over what reaches one output"}


PROVEN = [name for name in TRANSFORMERS if name not in REFUSED]


@pytest.mark.parametrize("name", [*FAST, *(pytest.param(n, marks=pytest.mark.slow) for n in PROVEN if n not in FAST)])
def test_transformers(name):
    model, *inputs = transformer(name)
    assert port.from_torch(model, *inputs).verify("gradients").ok


@pytest.mark.slow
@pytest.mark.parametrize("name", REFUSED)
def test_transformers_that_no_layer_computes_yet_are_refused(name):
    model, *inputs = transformer(name)
    with pytest.raises(PortError, match=REFUSED[name]):
        port.from_torch(model, *inputs)


@pytest.mark.slow
@pytest.mark.parametrize("name", TIMM)
def test_timm(name):
    model, x = timm_model(name)
    assert port.from_torch(model, x).verify("gradients").ok
