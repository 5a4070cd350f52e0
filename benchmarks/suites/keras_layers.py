"""The layers of Keras's own tests, harvested from the installed source: what `run_layer_test` gets."""

from __future__ import annotations

import importlib
import inspect
import os
import pkgutil
import re
import sys
import types
import unittest
from collections.abc import Callable, Iterator
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import keras.src.layers
import numpy as np
from keras.src.layers.preprocessing.image_preprocessing.base_image_preprocessing_layer import (
    BaseImagePreprocessingLayer,
)
from keras.src.testing import test_case

from compose import port
from suites import Case, NoModel

_FOLDERS = keras.src.layers.__path__


def cases() -> Iterator[Case]:
    seen: dict[str, int] = {}
    for module in _test_modules():
        keys: set[str] = set()
        for given in _harvested(module):
            key = repr(tuple(given.values()))[:2000]
            if key not in keys:
                keys.add(key)
                name = given["layer_cls"].__name__
                seen[name] = seen.get(name, 0) + 1
                yield Case(f"{name}/{seen[name]}", _porter(given))


def _test_modules() -> Iterator[Any]:
    conftest: Any = types.ModuleType("conftest")  # of Keras's repository, which is not installed
    conftest.skip_if_backend = lambda *_: lambda test: test
    sys.modules.setdefault("conftest", conftest)
    for found in sorted(pkgutil.walk_packages(_FOLDERS, "keras.src.layers."), key=lambda m: m.name):
        if found.name.endswith("_test"):
            yield importlib.import_module(found.name)


def _harvested(module: Any) -> list[dict[str, Any]]:
    """What the tests of a module give to `run_layer_test`."""
    calls: list[dict[str, Any]] = []
    asked = inspect.signature(test_case.TestCase.run_layer_test)
    before = test_case.TestCase.run_layer_test

    def record(self: Any, *args: Any, **kwargs: Any) -> None:
        bound = asked.bind(self, *args, **kwargs).arguments
        names = ("layer_cls", "init_kwargs", "input_shape", "input_dtype", "input_sparse", "input_ragged", "input_data",
                 "call_kwargs")  # fmt: skip
        calls.append({name: bound.get(name) for name in names})

    test_case.TestCase.run_layer_test = record
    try:
        for cls in vars(module).values():
            if isinstance(cls, type) and issubclass(cls, unittest.TestCase) and cls.__module__ == module.__name__:
                names = _that_harvest(inspect.getsource(cls))
                for test in unittest.defaultTestLoader.loadTestsFromTestCase(cls):
                    method = getattr(test, "_testMethodName", "")
                    if any(re.fullmatch(rf"{name}(\d+|_.*)?", method) for name in names):
                        test.run(unittest.TestResult())
    finally:
        test_case.TestCase.run_layer_test = before
    return calls


def _that_harvest(source: str) -> set[str]:
    """The methods that call `run_layer_test`."""
    parts = re.split(r"\n    def (\w+)\(", source)
    return {name for name, body in zip(parts[1::2], parts[2::2]) if "run_layer_test(" in body}


def _porter(given: dict[str, Any]) -> Callable[[], Any]:
    def ported() -> Any:
        try:
            model = _model(given)
        except Exception as e:
            raise NoModel(f"{type(e).__name__}: {e}") from e
        if _draws(model):
            raise NoModel("random numbers in inference")
        return port.from_keras(model)

    return ported


def _draws(model: Any) -> bool:
    """Whether two calls in inference mode differ."""
    floats = all("float" in x.dtype for x in model.inputs)
    if not floats or any(None in x.shape[1:] for x in model.inputs):
        return False
    arrays = [np.random.default_rng(0).uniform(size=(8, *x.shape[1:])).astype(x.dtype) for x in model.inputs]
    one, other = (model(arrays if len(arrays) > 1 else arrays[0], training=False) for _ in range(2))
    pairs = zip(keras.tree.flatten(one), keras.tree.flatten(other))
    return not all(np.array_equal(a, b, equal_nan=True) for a, b in pairs)


def _model(given: dict[str, Any]) -> Any:
    """The layer as a functional model, for a batch of any size."""
    if given["input_sparse"] or given["input_ragged"]:
        raise NoModel("sparse or ragged inputs")
    keras.utils.set_random_seed(1)
    data, dtype = given["input_data"], given["input_dtype"]
    shape = given["input_shape"] if data is None else keras.tree.map_structure(lambda x: tuple(x.shape), data)
    if data is not None:
        dtype = keras.tree.map_structure(lambda x: keras.backend.standardize_dtype(x.dtype), data)
    options = {k: v for k, v in (given["call_kwargs"] or {}).items() if k != "training"}
    layer = given["layer_cls"](**given["init_kwargs"])
    if isinstance(layer, BaseImagePreprocessingLayer) and isinstance(shape, tuple) and len(shape) == 3:
        raise NoModel("one image without a batch")
    if isinstance(layer, keras.layers.MelSpectrogram) and len(shape) == 1:
        raise NoModel("one signal without a batch")
    if isinstance(shape, dict):
        of = lambda k: dtype.get(k) if isinstance(dtype, dict) else dtype
        inputs: Any = {k.removesuffix("_shape"): _input(s, of(k)) for k, s in shape.items()}
        return keras.Model(inputs, layer(**inputs, **options))
    if isinstance(shape, list) or isinstance(shape[0], tuple):
        dtypes = dtype if isinstance(dtype, (list, tuple)) else [dtype] * len(shape)
        inputs = [_input(s, d) for s, d in zip(shape, dtypes)]
    else:
        inputs = _input(shape, dtype)
    return keras.Model(inputs, layer(inputs, **options))


def _input(shape: Any, dtype: Any) -> Any:
    return keras.Input(batch_shape=(None, *tuple(shape)[1:]), dtype=dtype or "float32")
