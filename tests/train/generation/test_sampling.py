"""What may be drawn is what Hugging Face's warpers keep."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from compose.core.errors import ConfigError
from compose.train.generation.sampling import Sampling


@pytest.mark.slow
@pytest.mark.parametrize(
    "options", [{"top_k": 3}, {"top_p": 0.7}, {"top_k": 5, "top_p": 0.5}, {"top_p": 0.01}], ids=str
)
def test_kept_is_what_hugging_face_keeps(options):
    torch = pytest.importorskip("torch")
    warpers = pytest.importorskip("transformers.generation.logits_process")
    logits = np.random.default_rng(0).normal(size=(4, 9)).astype(np.float32)
    theirs = warpers.TemperatureLogitsWarper(0.7)(None, torch.tensor(logits))
    if "top_k" in options:
        theirs = warpers.TopKLogitsWarper(options["top_k"])(None, theirs)
    if "top_p" in options:
        theirs = warpers.TopPLogitsWarper(options["top_p"])(None, theirs)
    ours = Sampling(0.7, **options).kept(jnp.asarray(logits))
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_draws_have_the_probabilities_of_the_softmax():
    logits = jnp.log(jnp.array([0.6, 0.3, 0.1]))
    drawn = Sampling(1.0).pick(jnp.tile(logits, (20_000, 1)), jax.random.key(0))
    np.testing.assert_allclose(np.bincount(drawn) / 20_000, [0.6, 0.3, 0.1], atol=0.02)


@pytest.mark.parametrize("options", [{"temperature": -1.0}, {"top_k": 0}, {"top_p": 0.0}, {"top_p": 1.1}], ids=str)
def test_options_out_of_range(options):
    with pytest.raises(ConfigError, match=next(iter(options))):
        Sampling(**options)
