"""Model files to serve."""

import jax.numpy as jnp
import pytest

pytest.importorskip("fastapi")
pytest.importorskip("prometheus_client")

from compose import branch, compose_seq, embedding, fc, flatten, graph, ops, relu, softmax, spec
from compose.serve.sources import Source
from compose.train.named import Names
from tests.serve.models import trained

NETS = {
    "kinds": lambda: trained(
        compose_seq(fc(8, relu), fc(3, softmax)), 4, names=Names(classes=("setosa", "versicolor", "virginica"))
    ),
    "words": lambda: trained(compose_seq(embedding(7, 4), flatten, fc(2)), spec(3, dtype=jnp.int32)),
    "pair": lambda: trained(
        compose_seq(graph(lambda a, b: fc(4)(a) * fc(4)(b)), branch(fc(1, name="age"), fc(3, softmax, name="kind"))),
        3,
        2,
    ),
    "steep": lambda: trained(compose_seq(fc(2), ops.log), 4),
}


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A folder with a model file of each network."""
    place = tmp_path_factory.mktemp("models")
    for name, net in NETS.items():
        net().save(place / f"{name}.safetensors")
    return place


@pytest.fixture
def files(folder):
    """The sources of some of these networks by name; every one without names."""
    return lambda *names: [Source(name, "1", folder / f"{name}.safetensors") for name in names or NETS]
