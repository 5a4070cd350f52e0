"""From a network and its weights to the text of a file, and the weights by the paths of Keras's variables."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from compose.core.layer import Layer
from compose.export.errors import ExportError
from compose.export.keras import registry
from compose.export.keras.writer import Writer
from compose.export.source.code import snake
from compose.export.source.text import described, expression, has_doubles, layout
from compose.export.source.walked import walked

OPERATORS = ("add", "subtract", "multiply", "true_divide", "power", "matmul", "negative", "get_item", "mod")


def source_of(net: Layer, params: Any, state: Any, inputs: tuple) -> tuple[str, dict[str, Any]]:
    """The text, and the weights by path: functions of `params` and `state`, which may be traced."""
    registry.load()
    labels = lambda n: ["inputs"] if n == 1 else [f"input_{i}" for i in range(n)]
    writer = Writer()
    leaves, y = walked(writer, net, params, state, inputs, labels)
    taken = given_by_keras(writer, file_text(writer, net, leaves, layout(y)))
    if taken:
        writer = Writer(taken)
        leaves, y = walked(writer, net, params, state, inputs, labels)
    if not all(len(leaf.shape) for leaf in leaves):
        raise ExportError("inputs with a batch axis, as a Keras source has them", "a number")
    return file_text(writer, net, leaves, layout(y)), writer.code.weights


def given_by_keras(writer: Writer, text: str) -> frozenset[str]:
    """The names of layers that Keras could give to what has none in the text: it counts those of each kind."""
    layers = (re.sub(r"(?<=\d)_d$", "d", snake(kind)) for kind in writer.unnamed)
    kinds = {*OPERATORS, *re.findall(r"\bops\.(\w+)\(", text), *layers}
    return frozenset(name for name in writer.code.attributes if re.sub(r"_\d+$", "", name) in kinds)


def file_text(writer: Writer, net: Layer, leaves: list, y: str) -> str:
    """The whole file."""
    labels = writer.code.labels
    about = "\n".join(described("x" if len(labels) == 1 else f"x{i}", leaf) for i, leaf in enumerate(leaves))
    given = [f"{label} = keras.Input({_input(leaf)})" for label, leaf in zip(labels, leaves)]
    tokens = writer.code.inputs
    inputs = tokens[0] if len(tokens) == 1 else f"[{', '.join(tokens)}]"
    lines = [*(f"# {note}" for note in writer.code.notes), *given, *writer.code.body(f"keras.Model({inputs}, {y})")]
    network = "\n".join(["def network():", *(f"    {line}" for line in lines)])
    code = "\n\n\n".join([*writer.parts.values(), *(f"def {k}{text}" for k, text in writer.classes.items()), network])
    names = [name for name in ("layers", "ops") if f"{name}." in code]
    first = [f"import {name}\n" for name in ("itertools", "math") if f"{name}." in code]
    imports = ["".join(first), "import keras"] if first else ["import keras"]
    imports += ["import numpy as np"] if "np." in code else []
    imports += [f"from keras import {', '.join(names)}"] if names else []
    double = '\n    keras.config.set_floatx("float64")' if has_doubles(writer.code.weights) else ""
    head = f'''"""A network in Keras.
{double}
    model = network()
    model.load_weights("network.weights.h5")

{about}

In compose:

{expression(net)}
"""'''
    return f"{head}\n\n{chr(10).join(imports)}\n\n\n{code}\n"


def _input(leaf: Any) -> str:
    kind = np.dtype(leaf.dtype)
    return f"{tuple(leaf.shape[1:])}" + ("" if kind in (np.float32, np.float64) else f', dtype="{kind.name}"')
