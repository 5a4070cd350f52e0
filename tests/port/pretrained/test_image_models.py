"""Models of timm and torchvision, from files of weights."""

from __future__ import annotations

import urllib.error
from typing import Any

import numpy as np
import pytest

from benchmarks import zoo as models
from compose import port
from compose.core.errors import PortError
from tests import zoo

zoo.needs("torchvision", "timm")
torch = pytest.importorskip("torch")


def close(p: Any, model: Any, side: int) -> None:
    x = torch.randn(2, 3, side, side)
    with torch.no_grad():
        theirs = model.eval()(x).numpy()
    y, _ = p.net.apply(p.params, p.state, x.numpy().transpose(0, 2, 3, 1))
    np.testing.assert_allclose(y, theirs, atol=1e-4)


@pytest.mark.slow
def test_timm(tmp_path):
    from safetensors.torch import save_file

    models.torchvision()
    import timm

    model = timm.create_model("repvgg_a0", num_classes=7)
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    given = {"weights": tmp_path / "model.safetensors", "folder": tmp_path / "ports", "level": "outputs"}
    p = port.from_pretrained("timm/repvgg_a0.rvgg_in1k", num_classes=7, **given)
    close(p, model, 64)
    with pytest.raises(RuntimeError, match="size mismatch"):
        port.from_pretrained("timm/repvgg_a0.rvgg_in1k", **given)
    with pytest.raises(PortError, match="did you mean"):
        port.from_pretrained("timm/repvgg_a00")


@pytest.mark.slow
def test_torchvision(tmp_path, monkeypatch):
    torchvision = models.torchvision()
    model = torchvision.models.get_model("shufflenet_v2_x0_5")
    file = tmp_path / "weights.pt"
    torch.save(model.state_dict(), file)
    p = port.from_pretrained("torchvision/shufflenet_v2_x0_5", weights=file, folder=tmp_path / "ports", level="outputs")
    close(p, model, 64)

    def absent(*args: Any, **kwargs: Any) -> None:
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setattr("torch.hub.load_state_dict_from_url", absent)
    monkeypatch.setattr("urllib.request.urlopen", absent)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(PortError, match=r"fetch https://\S*shufflenetv2_x0.5\S*, and name it as weights=FILE"):
        port.from_pretrained("torchvision/shufflenet_v2_x0_5", folder=tmp_path / "others")
