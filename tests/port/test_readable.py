"""How many lines the sources of known models take, of at most 100 columns and imports apart."""

from __future__ import annotations

import pytest

from compose import port

try:
    from benchmarks.port_coverage import lines_of, torch_model, torchvision

    torchvision()
except ImportError:
    pytest.skip("torchvision, whose models are written here", allow_module_level=True)


@pytest.mark.parametrize(
    ("name", "most"), [("resnet18", 25), ("vit_b_16", 25), ("densenet121", 30), ("mobilenet_v3_small", 40)]
)
def test_a_source_is_as_short_as_a_person_writes_it(name, most):
    model, x = torch_model(name)
    p = port.from_torch(model, x[:1])
    source = p.source
    assert lines_of(source) <= most, source
    assert max(map(len, source.splitlines())) <= 100
    scope: dict = {}
    exec(source, scope)
    assert scope["net"] == p.net
