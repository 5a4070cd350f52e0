"""Small models of Hugging Face's transformers and of timm, with random weights, proven to the gradients.

One or two of each kind; `benchmarks/port_zoo.py` has a hundred more.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.zoo import timm_model, transformer
from compose import generate, port
from compose.core.errors import PortError
from tests import zoo

zoo.needs("torchvision", "timm", "transformers")
TIMM = {"vit_tiny_patch16_224": {"img_size": 64}, "mixer_s32_224": {"img_size": 64}}
PROVEN = (
    "bert", "gpt2", "llama", "t5", "bart", "deberta_v2", "roformer", "gpt_oss", "vit", "convnext", "swin", "wav2vec2",
    "whisper",
)  # fmt: skip


def ids(batch: int, time: int) -> torch.Tensor:
    return torch.randint(3, 60, (batch, time), generator=torch.Generator().manual_seed(time))


@pytest.mark.slow
@pytest.mark.parametrize("name", PROVEN)
def test_transformers(name):
    model, *inputs = transformer(name)
    assert port.from_torch(model, *inputs).verify("gradients").ok


@pytest.mark.slow
def test_attention_with_relative_positions_is_one_layer():
    model, *inputs = transformer("t5_encoder")
    source = port.from_torch(model, *inputs).source
    assert "multi_head_attention(" in source and "softmax" not in source


@pytest.mark.slow
def test_results_whose_sizes_depend_on_data_are_refused():
    model, *inputs = transformer("xmod")
    with pytest.raises(PortError, match="sizes do not depend on the input's numbers"):
        port.from_torch(model, *inputs)


@pytest.mark.slow
def test_experts_are_read_in_the_implementation_that_the_report_names():
    model, *inputs = transformer("mixtral")
    before = model.model.config._experts_implementation
    ported = port.from_torch(model, *inputs)
    assert "batched_mm" in str(ported.verify("gradients")) and model.model.config._experts_implementation == before


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gpt2", "bert"])
def test_learned_positions_are_those_of_any_length(name):
    model = transformer(name)[0].model
    p = port.from_torch(model, ids(2, 7))
    assert p.verify("gradients").ok
    y, _ = p.net.apply(p.params, p.state, ids(3, 11).numpy())
    with torch.no_grad():
        np.testing.assert_allclose(y, model(ids(3, 11)).logits, rtol=1e-3, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_a_port_writes_what_hugging_face_writes(name):
    model = transformer(name)[0].model
    with torch.no_grad():
        for weight in model.parameters():
            weight *= 3  # so that the tokens differ
    p = port.from_torch(model, ids(2, 7))
    options = {"max_new_tokens": 20, "do_sample": False, "pad_token_id": 0, "eos_token_id": None}
    expected = model.generate(ids(1, 9), **options)[0, 9:].numpy()
    assert len(set(expected.tolist())) > 2
    np.testing.assert_array_equal(generate(p.net, p.params, p.state, ids(1, 9)[0].numpy(), steps=20), expected)


@pytest.mark.slow
def test_caches_are_left_out_and_the_report_says_so():
    model = transformer("llama")[0].model
    model.config.use_cache = True
    p = port.from_torch(model, ids(2, 7))
    report = p.verify("gradients")
    assert report.ok
    assert "use_cache" in str(report)
    assert model.config.use_cache  # the user's own is as it was
    optimizer, _ = p.optimizer(torch.optim.SGD(model.parameters(), lr=0.1))
    assert optimizer is not None


@pytest.mark.slow
@pytest.mark.parametrize("name", TIMM)
def test_timm(name):
    model, x = timm_model(name, **TIMM[name])
    assert port.from_torch(model, x).verify("gradients").ok
