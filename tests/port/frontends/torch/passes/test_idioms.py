"""What Hugging Face's and timm's transformers are made of, proven to twenty equal training steps."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
import torch

import compose
from compose import port
from tests.port.frontends.torch.torch_transformers import CASES
from tests.port.levels import proofs


@proofs(CASES)
def test_equal(name, level):
    torch.manual_seed(0)
    model, *inputs = CASES[name]()
    ported = port.from_torch(model, *inputs)
    assert ported.verify(level).ok
    assert compose.parse(str(ported.net)) == ported.net


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("gpt-2", ["multi_head_attention(2, causal=True", ".attend"]),
        ("llama", ["multi_head_attention(2, kv_heads=1, causal=True", "rotary=rotary()", "rms_norm("]),
        ("gemma", ["rms_norm(scale=False)", "residual(learned_scale()"]),
    ],
)
def test_what_is_written_out_is_found_again(name, words):
    model, *inputs = CASES[name]()
    text = " ".join(str(port.from_torch(model, *inputs).net).split()).replace("( ", "(")
    assert all(word in text for word in words), text


def test_conv1d_is_not_transposed():
    """Its matrices are (in, out) already: the square one would fit transposed too."""
    model, *inputs = CASES["gpt-2"]()
    ported = port.from_torch(model, *inputs)
    theirs = {name: value.detach().numpy() for name, value in model.named_parameters()}
    for record in ported.weights:
        if record.view.source in ("attn.weight", "proj.weight"):
            tree = ported.params
            for key in record.target.split("/"):
                tree = tree[key]
            part = record.view.part(theirs[record.view.source])
            assert np.array_equal(tree, part) and not np.array_equal(part, part.T)


def test_a_longer_batch_and_other_masks():
    model, *inputs = CASES["gpt-2"]()
    ported = port.from_torch(model, *inputs)
    ids, mask = torch.randint(0, 11, (5, 5)), torch.tensor([[1] * n + [0] * (5 - n) for n in (1, 2, 3, 4, 5)])
    y, _ = ported.net.apply(ported.params, ported.state, jnp.asarray(ids), jnp.asarray(mask))
    np.testing.assert_allclose(y, model(ids, mask).detach(), atol=2e-5)
