"""The methods of a network: operators, and `fit` and `summary`, which load on first use."""

import copy
import inspect
import pickle
import subprocess
import sys

import jax.numpy as jnp
import pytest

from compose import branch, compose_seq, fc, identity, relu, tanh
from compose.core.attributes import LAYER_ATTRIBUTES
from compose.core.layer import Layer
from compose.train import Trained, fit


def test_joins_with_operators():
    assert fc(3) + fc(4) == branch(fc(3), fc(4), join="add")
    assert fc(3) * fc(4) * fc(5) == branch(fc(3), fc(4), fc(5), join="multiply")
    assert fc(3) >> relu >> fc(4) == compose_seq(fc(3), relu, fc(4))
    assert jnp.tanh >> fc(3) == compose_seq(tanh, fc(3))
    assert (relu >> fc(3)) >> (tanh >> fc(4)) == compose_seq(relu, fc(3), tanh, fc(4))
    assert identity + fc(3) == branch(identity, fc(3), join="add")


def test_fit_is_the_function_of_compose_train():
    assert Layer.fit is fit
    assert fc(3).fit.__func__ is fit
    bound, full = inspect.signature(fc(3).fit), inspect.signature(fit)
    assert list(bound.parameters.values()) == list(full.parameters.values())[1:]
    assert bound.return_annotation == full.return_annotation
    assert fc(3).fit.__doc__ == fit.__doc__


def test_trained_fit_takes_the_options_of_fit():
    again, full = inspect.signature(Trained.fit).parameters, inspect.signature(fit).parameters
    assert list(again)[1:] == [name for name in full if name not in ("net", "start")]
    for name, parameter in list(again.items())[1:]:
        assert (parameter.kind, parameter.annotation) == (full[name].kind, full[name].annotation)
    assert again["epochs"].default == full["epochs"].default
    assert inspect.signature(Trained.fit).return_annotation == inspect.signature(fit).return_annotation


def test_what_trains_and_draws_tables_loads_on_first_use():
    code = (
        "import sys, compose; net = compose.fc(3); before = set(sys.modules)\n"
        "assert not {'optax', 'rich', 'sklearn', 'compose.train', 'compose.summary'} & before\n"
        "str(net.summary(4)); assert 'rich' in sys.modules and 'optax' not in sys.modules\n"
        "net.fit; assert 'optax' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_methods_of_other_libraries_say_what_to_write():
    for name, text in (
        ("compile", "net.fit(x, y, loss='mse'"),
        ("predict", "returns a Trained"),
        ("eval", "train=True"),
    ):
        with pytest.raises(AttributeError) as error:
            getattr(fc(1), name)
        assert str(error.value).startswith(f"'fc' object has no attribute {name!r}; ") and text in str(error.value)
    assert not [name for name in LAYER_ATTRIBUTES if hasattr(Layer, name)]
    assert not hasattr(fc(1), "nothing") and pickle.loads(pickle.dumps(fc(1))) == copy.copy(fc(1)) == fc(1)
