"""Keywords of other libraries: what to write instead."""

from __future__ import annotations

import inspect

import pytest

import compose
from compose import batch_norm, compose_seq, conv, dropout, embedding, fc, lstm, max_pool, multi_head_attention
from compose.core.keywords import near
from compose.core.layer_keywords import LAYER_KEYWORDS

WRITTEN = {
    lambda: fc(units=3): "fc() got an unexpected keyword argument 'units'; did you mean size=?",
    lambda: fc(3, use_bias=False): "did you mean bias=?",
    lambda: fc(3, in_features=4): "'in_features'; sizes of the input are inferred from it",
    lambda: fc(3, input_dim=4): "'input_dim'; sizes of the input are inferred from it",
    lambda: fc(3, kernel_regularizer="l2"): "as in fit(..., l2=1e-4)",
    lambda: conv(8, 3, strides=2): "did you mean stride=?",
    lambda: conv(8, kernel_size=3): "did you mean kernel=?",
    lambda: conv(out_channels=8, kernel=3): "did you mean filters=?",
    lambda: max_pool(pool_size=2): "did you mean size=?",
    lambda: max_pool(kernel_size=2): "did you mean size=?",
    lambda: dropout(p=0.5): "did you mean rate=?",
    lambda: batch_norm(eps=1e-3): "did you mean epsilon=?",
    lambda: embedding(num_embeddings=9, size=3): "did you mean count=?",
    lambda: lstm(8, return_sequences=True): "output='last' returns the last one alone",
    lambda: multi_head_attention(num_heads=4): "did you mean heads=?",
    lambda: dropout(0.5, foo=1): "it takes rate, shared_axes, name",
    lambda: compose_seq(fc(3), nmae="x"): "did you mean name=?",
}


def test_a_layer_says_what_to_write():
    for build, text in WRITTEN.items():
        with pytest.raises(TypeError) as error:
            build()
        assert text in str(error.value)


def test_a_layer_keeps_its_signature():
    assert list(inspect.signature(fc).parameters) == ["size", "activation", "bias", "kernel_init", "bias_init", "name"]


def test_every_keyword_leads_somewhere():
    fields = {
        name for word in vars(compose).values() if hasattr(word, "__match_args__") for name in word.__match_args__
    }
    for keyword, said in LAYER_KEYWORDS.items():
        assert set(said.partition(":")[0].split()) <= fields, keyword


def test_near():
    assert near("CrossEntropyLoss", ["mse", "cross_entropy"]) == ["cross_entropy"]
    assert near("lr", ["loss", "learning_rate"]) == ["learning_rate"]
    assert near("wholly", ["mse", "mae"]) == []
