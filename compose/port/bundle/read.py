"""Reading a saved port, without the source's framework."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

from compose.core.errors import FileError, PortError
from compose.core.run import arguments
from compose.port.bundle.source_file import read_source
from compose.port.ir.recovered import Recovered
from compose.port.result import Result
from compose.train.load import load as load_model


class AbsentReference:
    """Stands for the source model of a port that was read from a folder: any use of it is an error."""

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise PortError("the source model to prove this against: port it again; the folder's test_port.py needs none")


def load(folder: str | Path) -> Result:
    """See `compose.port.load`."""
    place = Path(folder)
    model = load_model(place / "weights.safetensors")
    path = place / "source.safetensors"
    try:
        graph, weights, words, frontend = read_source(path, model.params, model.state)
    except FileError:
        raise
    except (KeyError, TypeError, ValueError, IndexError) as e:
        raise FileError(f"{path}: not the map of {place / 'weights.safetensors'}: {e}") from None
    reference: Any = AbsentReference()
    found = Recovered(model.net, weights, words)
    inputs = arguments(model.inputs)
    return Result(model.net, model.params, model.state, found, inputs, graph, reference, frontend)
