"""`compose port FRAMEWORK MODEL`: a model of another framework as a folder of source, weights and proof."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np

from compose.core.errors import PortError

DTYPES = ("float32", "float64", "int32", "int64", "bool")


def port(framework: str, target: str, shapes: list[str], dtypes: list[str], level: str, out: Path | None, check: bool):
    """Port the model that `target` names, verify it, and write it; see the command for the options."""
    inputs = examples(shapes, dtypes)
    sys.path.insert(0, "")  # console scripts do not search the current folder
    ported = _READERS[framework](target, inputs, check)
    _say(f"{len(ported.graph.ops)} operations, {len(ported.graph.arrays)} arrays of weights")
    if check:
        print("every operation has a rule")
        return
    _say(f"proving it at the level {level!r}")
    report = ported.verify(level)
    if out is None:
        print(ported.source)
    else:
        ported.save(out, report)
        print("\n".join(f"wrote {path}" for path in sorted(out.iterdir()) if path.is_file()))
    print(report)


def examples(shapes: list[str], dtypes: list[str]) -> list[np.ndarray]:
    """Random inputs of the given shapes, as `8,3,224,224`; integers are 0 and 1."""
    if len(dtypes) not in (0, 1, len(shapes)):
        raise PortError(f"one --dtype, or one for each of {len(shapes)} inputs, got {len(dtypes)}")
    wanted = dtypes * len(shapes) if len(dtypes) == 1 else dtypes or ["float32"] * len(shapes)
    for dtype in wanted:
        if dtype not in DTYPES:
            raise PortError(f"a --dtype of {', '.join(DTYPES)}, got {dtype}")
    rng = np.random.default_rng(0)
    arrays = []
    for text, dtype in zip(shapes, wanted):
        sizes = text.split(",")
        if not all(size.strip().isdigit() and int(size) > 0 for size in sizes):
            raise PortError(f"the sizes of an input, batch first, as in 8,3,224,224, got {text}")
        shape = tuple(map(int, sizes))
        array = rng.normal(size=shape) if dtype.startswith("float") else rng.integers(0, 2, shape)
        arrays.append(array.astype(dtype))
    return arrays


def build(target: str) -> Any:
    """The result of calling `package.module:function`, or a class, without arguments."""
    place, _, name = target.partition(":")
    if not place or not name:
        raise PortError(f"MODULE:CALLABLE, as in models:resnet18, got {target}")
    try:
        found: Any = importlib.import_module(place)
    except ModuleNotFoundError as e:
        raise PortError(f"a module that can be imported from here: {e}") from e
    for part in name.split("."):
        if not hasattr(found, part):
            raise PortError(f"{place} to have {name}, got nothing of that name")
        found = getattr(found, part)
    if not callable(found):
        raise PortError(f"{target} to be called for a model, got {type(found).__name__}")
    model = found()
    _say(f"reading {target}: {type(model).__name__}")
    return model


def _torch(target: str, inputs: list[np.ndarray], partial: bool) -> Any:
    from compose.port.frontends.torch import from_torch

    model = build(target)
    if not inputs:
        raise PortError("--input with the sizes of an input, batch first, as in --input 8,3,224,224")
    import torch

    return from_torch(model, *map(torch.from_numpy, inputs), partial=partial)


def _keras(target: str, inputs: list[np.ndarray], partial: bool) -> Any:
    from compose.port.frontends.keras import from_keras

    return from_keras(build(target), *inputs, partial=partial)


def _flax(target: str, inputs: list[np.ndarray], partial: bool) -> Any:
    from compose.port.frontends.flax import from_flax

    built = build(target)
    return from_flax(*(built if isinstance(built, tuple) else (built,)), *inputs, partial=partial)


def _tf(target: str, inputs: list[np.ndarray], partial: bool) -> Any:
    from compose.port.frontends.tensorflow import from_tf

    built = target if Path(target).is_dir() else build(target)
    if isinstance(built, tuple):
        session, feeds, outputs = built
        return from_tf(session, feeds, outputs=outputs, partial=partial)
    return from_tf(built, *inputs, partial=partial)


def _onnx(target: str, inputs: list[np.ndarray], partial: bool) -> Any:
    from compose.port.frontends.onnx import from_onnx

    _say(f"reading {target}")
    return from_onnx(target, *inputs, partial=partial)


def _pretrained(target: str, inputs: list[np.ndarray], partial: bool) -> Any:
    from compose.port.pretrained import read_pretrained

    if partial or inputs:
        raise PortError("a pre-trained model by its name alone, without --check and --input")
    _say(f"loading {target}")
    return read_pretrained(target)


_READERS = {"pretrained": _pretrained, "torch": _torch, "keras": _keras, "flax": _flax, "tf": _tf, "onnx": _onnx}


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
