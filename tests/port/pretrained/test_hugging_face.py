"""Models of transformers, from folders that `save_pretrained` wrote."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.zoo import transformer
from compose import port
from compose.core.errors import PortError
from tests import zoo

zoo.needs("transformers")
torch = pytest.importorskip("torch")


@pytest.mark.slow
def test_a_text_model_of_its_own_class_or_another(tmp_path):
    model = transformer("bert")[0].model
    model.save_pretrained(tmp_path / "bert")
    p = port.from_pretrained(f"hf:{tmp_path}/bert", folder=tmp_path / "ports")
    ids, mask = np.array([[5, 6, 7, 8, 9, 10, 11, 12]] * 3), np.ones((3, 8), int)
    mask[1, 5:] = 0
    with torch.no_grad():
        theirs = model.eval()(torch.tensor(ids), torch.tensor(mask)).logits.numpy()
    y, _ = p.net.apply(p.params, p.state, ids, mask)
    np.testing.assert_allclose(y, theirs, atol=1e-5)
    body = port.from_pretrained(f"hf:{tmp_path}/bert", folder=tmp_path / "ports", architecture="BertModel")
    assert body.net != p.net and len(list((tmp_path / "ports").iterdir())) == 2
    with pytest.raises(PortError, match="a class of transformers"):
        port.from_pretrained(f"hf:{tmp_path}/bert", folder=tmp_path / "ports", architecture="BirdModel")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vit", "t5"])
def test_images_and_pairs_of_texts_have_examples(name, tmp_path):
    transformer(name)[0].model.save_pretrained(tmp_path / name)
    assert port.from_pretrained(f"hf:{tmp_path}/{name}", folder=tmp_path / "ports", level="outputs").params


@pytest.mark.slow
def test_other_inputs_are_asked_for(tmp_path):
    transformer("wav2vec2")[0].model.save_pretrained(tmp_path / "sound")
    with pytest.raises(PortError, match=r"example inputs .* whose first is input_values"):
        port.from_pretrained(f"hf:{tmp_path}/sound", folder=tmp_path)
