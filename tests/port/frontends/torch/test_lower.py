"""Small PyTorch models of every kind, ported and proven to twenty equal training steps."""

from __future__ import annotations

import jax
import numpy as np
import pytest
import torch

import compose
from compose import port
from compose.core.errors import PortError
from tests.port.frontends.torch.torch_models import CASES, Cnn, autoencoder
from tests.port.levels import proofs


@proofs(CASES, level="steps")
def test_equal(name, level):
    torch.manual_seed(0)
    model, *inputs = CASES[name]()
    ported = port.from_torch(model, *inputs)
    report = ported.verify(level)
    assert report.ok and len(report.rows) >= (5 if level == "steps" else 3)
    assert compose.parse(str(ported.net)) == ported.net


def test_autoencoder_is_the_expression_of_the_design():
    ported = port.from_torch(autoencoder(), torch.randn(2, 784))
    assert str(ported.net) == "compose_seq(fc(250, relu), fc(50, relu), fc(250, relu), fc(784, sigmoid))"


def test_outputs_are_the_source_s_in_float32():
    model, x = CASES["cnn"]()
    ported = port.from_torch(model.eval(), x)
    y, _ = ported.net.apply(ported.params, ported.state, x.numpy().transpose(0, 2, 3, 1))
    np.testing.assert_allclose(y, model(x).detach().numpy(), rtol=1e-4, atol=1e-5)


def test_any_batch():
    model, x = CASES["cnn"]()
    ported = port.from_torch(model, x)
    assert ported.net.out(jax.ShapeDtypeStruct((9, 6, 8, 3), "float32")) == (9, 5)


def test_back_to_a_state_dict(rng):
    model, x = CASES["cnn"]()
    ported = port.from_torch(model, x)
    params = jax.tree.map(lambda a: a + rng.normal(size=a.shape), ported.params)
    arrays = ported.to_source(params)
    model.load_state_dict({k: torch.from_numpy(np.asarray(v)) for k, v in arrays.items()}, strict=False)
    y, _ = ported.net.apply(params, ported.state, x.numpy().transpose(0, 2, 3, 1))
    np.testing.assert_allclose(y, model.eval()(x).detach().numpy(), rtol=1e-3, atol=1e-3)


def test_the_model_is_left_as_it_was():
    model = Cnn().train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    port.from_torch(model, torch.randn(2, 3, 6, 8)).verify("step")
    assert model.training and all(torch.equal(v, model.state_dict()[k]) for k, v in before.items())


def test_unknown_operations_are_listed_with_their_lines():
    class Odd(torch.nn.Module):
        def forward(self, x):
            return torch.special.bessel_j0(torch.special.airy_ai(x))

    with pytest.raises(PortError) as raised:
        port.from_torch(Odd(), torch.rand(2, 3), partial=True)
    text = str(raised.value)
    assert "bessel_j0" in text and "airy_ai" in text and "test_lower.py" in text


def test_a_rule_teaches_an_operation():
    from compose.port.lowering.registry import _custom

    class Odd(torch.nn.Module):
        def forward(self, x):
            return torch.erfinv(x)

    @compose.register
    def erfinv_for_port(x):
        return jax.scipy.special.erfinv(x)

    @port.rule("aten.erfinv")
    def _(low, node, x):
        return low.emit(erfinv_for_port, x)

    try:
        assert port.from_torch(Odd(), 0.9 * torch.rand(2, 3)).verify("gradients").ok
    finally:
        del _custom["aten.erfinv"]


class Twice(torch.nn.Module):
    def forward(self, x):
        return torch.erfinv(x) + x


def test_a_rule_for_a_class_by_its_name():
    from compose.port.lowering.registry import _custom

    name = f"{Twice.__module__}.Twice"

    @port.rule(name)
    def _(low, call, x):
        assert type(call.module) is Twice
        return low.emit(compose.scale(by=3), x, shape=x.shape)

    try:
        model = torch.nn.Sequential(torch.nn.Linear(3, 3), Twice())
        assert str(port.from_torch(model, torch.randn(2, 3)).net) == "compose_seq(fc(3), scale(by=3))"
    finally:
        del _custom[name]


def test_padding_of_any_axes_but_one():
    class Padded(torch.nn.Module):
        def forward(self, x):
            y = torch.nn.functional.pad(x, (1, 2))
            return torch.nn.functional.pad(y, (0, 0, 2, 0, 1, 1), value=0.5)

    assert port.from_torch(Padded(), torch.randn(2, 3, 4, 5)).verify("gradients").ok


def test_weights_that_inference_does_not_read():
    class Auxiliary(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.head, self.other = (torch.nn.Linear(4, 4) for _ in range(3))

        def forward(self, x):
            y = torch.tanh(self.body(x))
            return (self.head(y), self.other(y)) if self.training else self.head(y)

    ported = port.from_torch(Auxiliary(), torch.randn(2, 4))
    assert str(ported.net).count("fc") == 2 and ported.verify("gradients").ok
    assert set(ported.to_source(ported.params)) == set(Auxiliary().state_dict())


def test_control_flow_on_data_says_so():
    class Branching(torch.nn.Module):
        def forward(self, x):
            return x + 1 if x.sum() > 0 else x - 1

    with pytest.raises(PortError, match=r"torch\.export"):
        port.from_torch(Branching(), torch.randn(2, 3))


def test_outputs_alone_take_no_gradients(monkeypatch):
    ported = port.from_torch(*CASES["cnn"]())
    monkeypatch.delattr(type(ported.reference), "gradients")
    report = ported.verify("outputs")
    assert [row.check for row in report.rows] == ["weights", "outputs", "outputs"] and report.rows[1].error < 1e-13


def test_not_a_module():
    with pytest.raises(PortError, match=r"a torch\.nn\.Module, got dict"):
        port.from_torch({}, torch.randn(2, 3))


@pytest.mark.slow
def test_a_saved_port_proves_itself_without_torch(tmp_path):
    import subprocess
    import sys

    model, x = CASES["cnn"]()
    port.from_torch(model, x).save(str(tmp_path))
    hide = "import sys; sys.modules['torch'] = None; sys.path.insert(0, sys.argv[1]); "
    hide += "import test_port; test_port.test_port()"
    done = subprocess.run([sys.executable, "-c", hide, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    weights = (tmp_path / "weights.safetensors").read_bytes()
    golden = dict(np.load(tmp_path / "golden.npz"))
    np.savez(tmp_path / "golden.npz", **{**golden, "output 0": golden["output 0"] + 1e-6})
    assert subprocess.run([sys.executable, "-c", hide, str(tmp_path)], capture_output=True).returncode != 0
    assert weights[:8] and (tmp_path / "report.json").exists()


def test_a_buffer_that_enters_is_not_trained():
    class Shifted(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.head = torch.nn.Linear(3, 2)
            self.register_buffer("offset", torch.randn(2))

        def forward(self, x):
            return self.head(x) + self.offset

    ported = port.from_torch(Shifted(), torch.randn(4, 3))
    assert "frozen(learned_bias" in str(ported.net) and ported.verify("step").ok


def test_the_port_has_weights_of_its_own():
    """Training the source afterwards leaves the port as it was."""
    model, x = CASES["cnn"]()
    ported = port.from_torch(model, x)
    before = jax.tree.map(np.array, (ported.params, dict(ported.graph.arrays)))
    with torch.no_grad():
        for tensor in model.state_dict().values():
            tensor.zero_()
    after = jax.tree.map(np.array, (ported.params, dict(ported.graph.arrays)))
    assert jax.tree.all(jax.tree.map(np.array_equal, before, after))


def test_an_example_of_one_is_a_batch_too():
    model, x = CASES["cnn"]()
    ported = port.from_torch(model, x[:1])
    assert ported.net == port.from_torch(model, x).net and ported.verify("outputs").ok


class AlikeRows(torch.nn.Module):
    """The same row of a table for all places, which no input decides."""

    def __init__(self):
        super().__init__()
        self.table = torch.nn.Embedding(5, 2)
        self.register_buffer("places", torch.ones(3, 4, dtype=torch.int64))

    def forward(self, x):
        return x, self.table(self.places)


def test_an_output_of_rows_that_are_alike_has_all_of_them():
    p = port.from_torch(AlikeRows(), torch.randn(6, 5))
    assert p.verify("gradients").ok
    assert p.net.apply(p.params, p.state, np.ones((6, 5), np.float32))[0][1].shape == (3, 4, 2)
