"""Blocks that read the same values beside what goes from one to the next."""

from __future__ import annotations

import pytest

from compose import port
from compose.combinators import graph, repeat

torch = pytest.importorskip("torch")
nn = torch.nn


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner, self.norm = nn.Linear(6, 6), nn.LayerNorm(6)

    def forward(self, x, gate):
        return x + torch.tanh(self.inner(self.norm(x))) * gate


class Stack(nn.Module):
    """Blocks that read one gate; `way` says what is different."""

    def __init__(self, way: str, blocks: int = 4):
        super().__init__()
        self.way = way
        self.gate, self.blocks = nn.Linear(6, 6), nn.ModuleList(Block() for _ in range(blocks))

    def forward(self, x):
        gate, seen = torch.sigmoid(self.gate(x)), []
        for block in self.blocks:
            x = block(x, gate * 2 if self.way == "a gate of its own" and block is self.blocks[1] else gate)
            seen.append(x)
        return x + seen[1] if self.way == "a value read later" else x


def ported(way, **options):
    torch.manual_seed(0)
    return port.from_torch(Stack(way, **options), torch.randn(3, 5, 6))


def test_a_chain_is_a_repeat():
    p = ported("")
    assert p.source.endswith('net = branch(identity, fc(6, sigmoid, name="gate")) >> repeat(4, graph(wiring))\n')
    assert p.verify("steps").ok


@pytest.mark.parametrize("way", ["a gate of its own", "a value read later"])
def test_what_differs_ends_a_chain(way):
    p = ported(way)
    assert [layer.times for _, layer in p.net.walk() if isinstance(layer, repeat)] == []
    assert p.verify("gradients").ok


def test_the_rest_of_a_chain_is_one():
    p = ported("a value read later", blocks=6)  # the first two are apart, since the second is read again
    assert [layer.times for _, layer in p.net.walk() if isinstance(layer, repeat)] == [4]
    assert any(isinstance(layer, graph) for _, layer in p.net.walk())
    assert p.verify("gradients").ok


def test_weights_go_there_and_back():
    p = ported("")
    model = Stack("")
    model.load_state_dict(p.to_torch_state_dict(p.params, p.state))
    again = port.from_torch(model, torch.randn(3, 5, 6))
    assert again.net == p.net
