"""An ONNX file, or a model in memory, checked and brought to the form that the rules know."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import onnx
import onnx.inliner
import onnx.version_converter
from google.protobuf.message import DecodeError

from compose.core.errors import PortError
from compose.port.frontends.onnx.exact.windows import BEFORE_11
from compose.port.frontends.onnx.passes.expand import expanded
from compose.port.frontends.onnx.passes.expand_learn import without_labels
from compose.port.frontends.onnx.passes.tidy import tidied

OLDEST = 13  # the first opset whose Squeeze, ReduceSum and Softmax are those of today


class File(NamedTuple):
    """A model in the forms that a port needs.

    Attributes:
        source: what the user gave, a path or a model in memory; None if its nodes are in training mode, in which the
            port is not read.
        plain: in the opset that it came in, its constants as initialisers and each weight its own.
        read: the same in an opset of at least 13, for the rules.
    """

    source: Any
    plain: onnx.ModelProto
    read: onnx.ModelProto


def load(source: Any) -> File:
    """The model with its external data and its functions inlined.

    Raises `PortError` for a file that is missing, corrupt, lacks its external data, or cannot be converted.
    """
    model = source if isinstance(source, onnx.ModelProto) else _file(source)
    if not model.graph.node or not model.graph.output:
        raise PortError(f"an ONNX model with nodes and outputs, got {_name(source)}, which has none")
    try:
        model = onnx.inliner.inline_local_functions(model) if model.functions else model
    except Exception as e:
        raise PortError(f"functions that can be inlined, in {_name(source)}: {e}") from e
    trains = any(map(_trains, model.graph.node))
    plain = tidied(expanded(without_labels(model)))
    version = next((o.version for o in plain.opset_import if o.domain in ("", "ai.onnx")), OLDEST)
    read = plain if version >= OLDEST else _converted(plain, version, _name(source))
    return File(None if trains else source, plain, read)


def _trains(node: onnx.NodeProto) -> bool:
    if node.op_type == "Dropout":
        return len(node.input) > 2
    return node.op_type == "BatchNormalization" and any(a.name == "training_mode" and a.i for a in node.attribute)


def _converted(model: onnx.ModelProto, version: int, name: str) -> onnx.ModelProto:
    """The model in opset 13, with what its resizing meant before opset 11, which onnx's converter forgets."""
    newer = onnx.ModelProto()
    newer.CopyFrom(model)
    newer.ir_version = max(model.ir_version, 4)  # before, initialisers had to be inputs too
    try:
        made = onnx.version_converter.convert_version(newer, OLDEST)
    except Exception as e:
        raise PortError(
            f"opset {OLDEST} or later, or one that onnx.version_converter brings there, got {version}: {e}; "
            f"export {name} again with opset_version={OLDEST} or more"
        ) from e
    for node in made.graph.node:
        if node.op_type == "Resize" and version < 11:
            node.attribute.extend(onnx.helper.make_attribute(k, v) for k, v in BEFORE_11.items())
    return tidied(made)


def _file(source: Any) -> onnx.ModelProto:
    if not isinstance(source, (str, Path)):
        raise PortError(f"the path of an ONNX file or an onnx.ModelProto, got {type(source).__name__}")
    path = Path(source)
    if not path.is_file():
        raise PortError(f"an ONNX file, got {path}, which is {'a folder' if path.is_dir() else 'not there'}")
    try:
        model = onnx.load(path, load_external_data=False)
    except (DecodeError, ValueError, TypeError) as e:
        raise PortError(f"an ONNX file, got {path}, which is none, or is damaged: {e}") from e
    try:
        onnx.load_external_data_for_model(model, str(path.parent))
    except Exception as e:
        raise PortError(f"the weights that {path} keeps in files beside it: {e}") from e
    return model


def _name(source: Any) -> str:
    return str(source) if isinstance(source, (str, Path)) else "the model"
