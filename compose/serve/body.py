"""JSON of requests and answers: no NaN, no Infinity, no depth that breaks a parser."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError, from_json, to_json

from compose.serve.errors import ServeError

Model = TypeVar("Model", bound=BaseModel)


def read_json(data: bytes | memoryview) -> Any:
    """The value of a JSON text. Raises `ServeError`."""
    try:
        return from_json(bytes(data), allow_inf_nan=False, cache_strings="keys")
    except ValueError as e:  # of the parser, whose messages are a place in the text
        raise ServeError(400, f"not valid JSON: {e}") from None


def read_model(model: type[Model], data: bytes | memoryview) -> Model:
    """A JSON text as a pydantic model. Raises `ServeError`, which names the first field that is wrong."""
    return checked(model, read_json(data))


def checked(model: type[Model], value: Any) -> Model:
    """The value of a JSON text as a pydantic model. Raises `ServeError`, which names the first field that is wrong."""
    try:
        return model.model_validate(value)
    except ValidationError as e:
        first = e.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"][:4]))[:100]
        raise ServeError(400, f"{where}: {first['msg']}" if where else first["msg"]) from None


def write_json(value: Any) -> bytes:
    """A JSON text."""
    try:
        return to_json(value, inf_nan_mode="constants")
    except PydanticSerializationError:  # a lone surrogate
        raise ServeError(400, "text that is not Unicode") from None
