"""What a proof costs: how often it compiles a step, and that one run gives the same as several."""

from __future__ import annotations

import logging

import jax
import numpy as np
import pytest
import torch

from compose import port
from compose.core.errors import PortError
from compose.port.proof.reference import perturbed
from compose.port.proof.training import Trainer
from tests.port.frontends.torch.torch_models import CASES


@pytest.fixture
def ported():
    torch.manual_seed(0)
    model, *inputs = CASES["cnn"]()
    return port.from_torch(model, *inputs), torch.optim.Adam(model.parameters(), lr=0.01)


def test_a_proof_compiles_its_step_and_its_gradients_once(ported, caplog):
    """Also where arrays differ, and training is repeated from starts that are rounded differently."""
    p, optimizer = ported
    with jax.log_compiles(), caplog.at_level(logging.WARNING, logger="jax"):
        report = p.verify("steps", optimizer)
    assert "moved by rounding" in str(report)  # so the noise was measured
    compiled = [r.getMessage() for r in caplog.records if r.getMessage().startswith("Finished XLA compilation of jit(")]
    networks = [name for name in compiled if "(_traced_step)" in name or "(both)" in name or "(forward)" in name]
    assert len(networks) == 2, compiled


def test_one_run_passes_through_every_count(ported):
    p, optimizer = ported
    with jax.enable_x64(True):
        arrays, inputs = perturbed(p.graph.arrays, 0), p.reference.inputs()
        once = Trainer(p, inputs, 0, port.optimizer(optimizer)).run(*p.weights.load(arrays), [1, 3])
        assert list(once) == [1, 3]
        for n, weights in once.items():
            alone = Trainer(p, inputs, 0, port.optimizer(optimizer)).run(*p.weights.load(arrays), [n])[n]
            jax.tree.map(np.testing.assert_array_equal, weights, alone)
    theirs = p.reference.train(arrays, inputs, 0, optimizer, [1, 3])
    for n, weights in zip([1, 3], theirs):
        for name, array in p.reference.train(arrays, inputs, 0, optimizer, [n])[0].items():
            np.testing.assert_array_equal(weights[name], array)


def test_no_steps_prove_nothing(ported):
    with pytest.raises(PortError, match="at least one training step, got steps=0"):
        ported[0].verify("steps", steps=0)
