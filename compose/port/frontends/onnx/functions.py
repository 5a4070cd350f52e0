"""Operations that the standard defines by others: a node without a rule is read as its body says."""

from __future__ import annotations

from typing import Any

import onnx
from onnx import helper

from compose.port.frontends.onnx.float64 import widen_node

_KEPT = ("Range",)  # its body is a loop


def is_function(op: str, opset: Any) -> bool:
    """Whether the standard writes an operation, `onnx.Name`, in others."""
    schema = _schema(op, opset)
    return schema is not None and (schema.has_function or schema.has_context_dependent_function)


def body(node: onnx.NodeProto, types: list[Any], opset: Any) -> list[onnx.NodeProto] | None:
    """The nodes that compute what this one does, with names of their own; None if the standard does not say.

    Args:
        types: of the inputs, `TypeProto`; an empty one for an input that is not there.
    """
    schema: Any = _schema(f"onnx.{node.op_type}", opset)
    version = _version(opset)
    function = onnx.FunctionProto()
    if schema.has_context_dependent_function:
        versions = [v for v in schema.context_dependent_function_opset_versions if v <= version]
        if not versions:
            return None
        text = schema.get_context_dependent_function_with_opset_version(
            max(versions), node.SerializeToString(), [t.SerializeToString() for t in types]
        )
        function.ParseFromString(text)
    else:
        versions = [v for v in schema.function_opset_versions if v <= version]
        if not versions:
            return None
        function.ParseFromString(schema.get_function_with_opset_version(max(versions)))
    if not function.node:
        return None
    given = {a.name: a for a in node.attribute}
    usual = {name: a.default_value for name, a in schema.attributes.items() if a.default_value.name}
    names = dict(zip(function.input, [*node.input, *[""] * len(function.input)]))
    names |= {inner: outer for inner, outer in zip(function.output, node.output) if outer}
    return [_written(inner, node, names, {**usual, **given}) for inner in function.node]


def _written(inner: onnx.NodeProto, node: onnx.NodeProto, names: dict[str, str], attributes: dict) -> onnx.NodeProto:
    """One node of a body in the place of `node`: its attributes given, its values renamed."""
    made = onnx.NodeProto()
    made.CopyFrom(inner)
    called = lambda name: names.setdefault(name, f"{node.output[0]}/{name}") if name else ""
    made.input[:], made.output[:] = map(called, inner.input), map(called, inner.output)
    made.name = "/".join((node.name or node.op_type, inner.op_type))
    made.metadata_props.extend(node.metadata_props)
    del made.attribute[:]
    for attribute in inner.attribute:
        new = made.attribute.add()
        if not attribute.ref_attr_name:
            new.CopyFrom(attribute)
        elif attribute.ref_attr_name in attributes:
            new.CopyFrom(attributes[attribute.ref_attr_name])
            new.name = attribute.name
        else:
            del made.attribute[-1]
            continue
        if new.type == onnx.AttributeProto.GRAPH:
            _rename(new.g, node, names, attributes)
    widen_node(made)
    return made


def _rename(graph: onnx.GraphProto, node: onnx.NodeProto, names: dict[str, str], attributes: dict) -> None:
    """The same within a way of an If, which reads values from around it."""
    inside = [_written(inner, node, names, attributes) for inner in graph.node]
    del graph.node[:]
    graph.node.extend(inside)
    for value in (*graph.input, *graph.output, *graph.initializer):
        value.name = names.setdefault(value.name, f"{node.output[0]}/{value.name}")


def type_of(kind: int, shape: tuple[int, ...]) -> onnx.TypeProto:
    return helper.make_tensor_type_proto(kind, shape)


def _schema(op: str, opset: Any) -> Any:
    domain, _, kind = op.rpartition(".")
    known = domain == "onnx" and kind not in _KEPT and onnx.defs.has(kind, _version(opset), "")
    return onnx.defs.get_schema(kind, _version(opset), "") if known else None


def _version(opset: Any) -> int:
    return next((o.version for o in opset if o.domain in ("", "ai.onnx")), 1)
