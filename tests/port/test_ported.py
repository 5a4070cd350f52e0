"""The object that ports are returned as."""

from __future__ import annotations

import pytest

from compose import port
from compose.core.errors import PortError

torch = pytest.importorskip("torch")


def deep():
    sizes = range(8, 70)
    layers = [torch.nn.Sequential(torch.nn.Linear(n, n + 1), torch.nn.ReLU()) for n in sizes]
    return port.from_torch(torch.nn.Sequential(*layers), torch.randn(4, 8))


@pytest.mark.slow
def test_print_is_a_summary():
    p = deep()
    lines = repr(p).splitlines()
    assert (
        lines[0]
        == f"Sequential, ported from torch: {sum(n * (n + 1) + n + 1 for n in range(8, 70)):,} parameters in 124 arrays"
    )
    assert lines[1:3] == ["  inputs   (4, 8) float32", "  outputs  (4, 70) float32"]
    assert len(lines) < 20 and max(map(len, lines)) < 120
    assert len(str(p.net).splitlines()) > 40 and "more lines" in lines[-2]
    assert all(name in lines[-1] for name in (".net", ".source", ".weights", ".verify()"))


def test_a_loaded_port_prints_alike_and_cannot_be_verified(tmp_path):
    p = port.from_torch(torch.nn.Linear(3, 2), torch.randn(4, 3))
    p.save(tmp_path)
    loaded = port.load(tmp_path)
    assert isinstance(loaded, port.Ported) and repr(loaded) == repr(p)
    with pytest.raises(PortError, match="the source model to prove this against"):
        loaded.verify()


def test_exports_of_another_framework_are_refused():
    p = port.from_torch(torch.nn.Linear(3, 2), torch.randn(4, 3))
    for export in (p.to_keras_weights, p.to_flax_variables):
        with pytest.raises(PortError, match="model, got one of torch"):
            export(p.params)
    with pytest.raises(PortError, match="a port of TensorFlow's, got one of Linear"):
        p.to_tf_variables(p.params)
