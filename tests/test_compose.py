"""The package itself: its vocabulary, its version and its types."""

import inspect
import tomllib
from pathlib import Path

import compose

ROOT = Path(compose.__file__).parent.parent


def test_dir_lists_what_loads_on_first_use():
    assert {"fit", "load", "Trained", "data", "flax", "port", "train", "fc", "compose_seq"} <= set(dir(compose))
    for name in ("fit", "load", "Trained", "data", "port", "train"):
        assert getattr(compose, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    assert not hasattr(compose, "no_such_name")


def test_the_version_is_that_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["hatch"]["version"]["path"] == "compose/__init__.py"
    assert compose.__version__.count(".") == 2


def test_the_package_is_typed():
    assert (Path(compose.__file__).parent / "py.typed").exists()


def test_signatures_have_types():
    assert inspect.signature(compose.Trained.predict).return_annotation == "jax.Array"
    assert inspect.signature(compose.Trained.evaluate).return_annotation == "dict[str, Any]"
    assert inspect.signature(compose.load).return_annotation == "Trained"
    assert inspect.signature(compose.Layer.__rshift__).return_annotation == "Layer"
