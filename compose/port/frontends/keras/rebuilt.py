"""A Keras model made again from its configuration, with the classes and functions that it is made of."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras
from keras.src.saving import object_registration


def rebuilt(model: Any, edit: Callable[[Any], Any]) -> Any:
    """The model that its edited configuration describes. Classes of the user's own need no registration."""
    with _names_of_its_own() as found:
        config = edit(model.get_config())
    with keras.saving.custom_object_scope({name: owner for owner, name in found.items()}):
        return type(model).from_config(config)


@contextlib.contextmanager
def _names_of_its_own() -> Iterator[dict[Any, str]]:
    """In the `with` block Keras writes each class and function of the user's own under another name, which it gives.

    Keras finds what is not registered by its module alone, which has no classes that a function defines, and may have
    two of one name by now, as where a cell of a notebook ran again.
    """
    before, found = object_registration.get_registered_name, {}

    def name(owner: Any) -> str:
        if owner.__module__.partition(".")[0] == "keras":
            return before(owner)
        return found.setdefault(owner, f"{owner.__name__} {len(found)}")

    object_registration.get_registered_name = name
    try:
        yield found
    finally:
        object_registration.get_registered_name = before


@contextlib.contextmanager
def functions_as_they_are() -> Iterator[None]:
    """A `Lambda` that is rebuilt has the function itself, which its configuration has as bytes without its globals."""
    cls: Any = keras.layers.Lambda
    kept: dict[str, Any] = {}
    written, read = cls._serialize_function_to_config, vars(cls)["from_config"]

    def name(layer: Any, fn: Any) -> str:
        kept[f"function {id(fn)}"] = fn
        return f"function {id(fn)}"

    def again(cls: Any, config: Any, *_: Any, **__: Any) -> Any:
        parts = {k: kept.get(v, v) if isinstance(v, str) else v for k, v in config.items()}
        for part in ("arguments", "output_shape", "mask"):
            if part in parts and not callable(parts[part]):
                parts[part] = keras.saving.deserialize_keras_object(parts[part])
        if isinstance(parts.get("output_shape"), list):
            parts["output_shape"] = tuple(parts["output_shape"])
        return cls(**parts)

    cls._serialize_function_to_config, cls.from_config = name, classmethod(again)
    try:
        yield
    finally:
        cls._serialize_function_to_config, cls.from_config = written, read
