"""PyTorch's exporter beside TensorFlow, in a process of its own: with Triton installed it used to crash."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import tensorflow, torch
from compose import port
from compose.port.frontends.torch.triton import import_triton_beside_tensorflow
import_triton_beside_tensorflow()
print(len(torch.export.export(torch.nn.Linear(3, 4), (torch.ones(2, 3),), strict=False).graph.nodes))
print(port.from_torch(torch.nn.Linear(3, 4), torch.ones(2, 3)).net)
"""


@pytest.mark.slow
def test_a_model_is_exported_after_tensorflow_was_imported():
    result = subprocess.run([sys.executable, "-W", "ignore", "-c", SCRIPT], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-2000:]
    assert "fc(4" in result.stdout
