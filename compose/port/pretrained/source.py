"""The libraries that have pre-trained models, and what they are asked for."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from compose.core.errors import PortError


@dataclass(frozen=True)
class Wanted:
    """What `from_pretrained` was asked for.

    Attributes:
        library, name: such as `"timm"` and `"resnet18.a1_in1k"`.
        inputs: the user's example inputs, or none.
        weights: a file of weights, or None to download them.
        options: for the library's constructor.
    """

    library: str
    name: str
    inputs: tuple
    weights: Path | None
    options: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.library}/{self.name}"


@dataclass(frozen=True)
class SourceModel:
    """A model of `framework` (`"torch"` or `"keras"`) with example inputs, by position or by name."""

    framework: str
    model: Any
    inputs: tuple = ()
    named: dict[str, Any] = field(default_factory=dict)


Source = Callable[[Wanted], SourceModel]


def _later(module: str, name: str) -> Source:
    """A function of a module that is imported when it is called, for its library is."""
    return lambda wanted: getattr(importlib.import_module(f"compose.port.pretrained.{module}"), name)(wanted)


SOURCES: dict[str, Source] = {
    "timm": _later("image_models", "from_timm"),
    "torchvision": _later("image_models", "from_torchvision"),
    "keras": _later("keras_applications", "from_keras_applications"),
    "hf": _later("hugging_face", "from_hugging_face"),
}


def unknown(what: str, name: str, known: Iterable[str]) -> PortError:
    """The error for a name that a library does not have, with those that are close."""
    close = difflib.get_close_matches(name, list(known), n=5)
    return PortError(f"{what}, got {name!r}" + (f"; did you mean {', '.join(close)}?" if close else ""))


def library(name: str, extra: str = "zoo") -> Any:
    """The imported package. Raises `PortError` where it is not installed."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as e:
        if e.name != name:
            raise
        raise PortError(f"{name}, which has this model: pip install 'compose-jax[{extra}]'") from None


_OF_DOWNLOADS = (
    "URL fetch failure",
    "Name or service",
    "Connection",
)  # in an Exception of Keras, or of its HTTP client


@contextmanager
def download(wanted: Wanted, by_hand: str) -> Iterator[None]:
    """Errors of a download say what to fetch by hand; others stay as they are."""
    try:
        yield
    except Exception as e:
        if not isinstance(e, OSError) and not any(
            word in str(e) for word in ("URL fetch failure", "Connect", "resolve")
        ):
            raise
        reason = str(e).strip().splitlines()[0] if str(e).strip() else type(e).__name__
        raise PortError(f"the weights of {wanted}, which could not be loaded: {reason}\n  {by_hand}") from e
