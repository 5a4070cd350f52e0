"""An ONNX file, or a model in memory, checked and brought to the form that the rules know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import onnx.inliner
import onnx.version_converter
from google.protobuf.message import DecodeError

from compose.core.errors import PortError
from compose.port.frontends.onnx.passes.expand import expanded
from compose.port.frontends.onnx.passes.expand_learn import without_labels
from compose.port.frontends.onnx.passes.tidy import tidied

OLDEST = 13  # the first opset whose Squeeze, ReduceSum and Softmax are those of today


def load(source: Any) -> onnx.ModelProto:
    """The model with its external data, its functions inlined, in an opset of at least 13.

    Raises `PortError` for a file that is missing, corrupt, lacks its external data, or cannot be converted.
    """
    model = source if isinstance(source, onnx.ModelProto) else _file(source)
    if not model.graph.node or not model.graph.output:
        raise PortError(f"an ONNX model with nodes and outputs, got {_name(source)}, which has none")
    try:
        model = onnx.inliner.inline_local_functions(model) if model.functions else model
    except Exception as e:
        raise PortError(f"functions that can be inlined, in {_name(source)}: {e}") from e
    version = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), OLDEST)
    if version < OLDEST:
        try:
            model = onnx.version_converter.convert_version(model, OLDEST)
        except Exception as e:
            raise PortError(
                f"opset {OLDEST} or later, or one that onnx.version_converter brings there, got {version}: {e}; "
                f"export {_name(source)} again with opset_version={OLDEST} or more"
            ) from e
    return tidied(expanded(without_labels(model)))


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
