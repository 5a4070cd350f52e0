"""Operations that the standard defines by others: a node without a rule is read as its body says."""

from __future__ import annotations

from typing import Any, NamedTuple

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
    place = Place(node.output[0], node.name or node.op_type, node.metadata_props)
    return [written(inner, place, names, {**usual, **given}) for inner in function.node]


class Place(NamedTuple):
    """Where the nodes of a body are written: what their values, and they, are called by, and what is known of them."""

    prefix: str
    label: str
    known: Any = ()


def written(inner: onnx.NodeProto, place: Place, names: dict[str, str], attributes: dict) -> onnx.NodeProto:
    """One node of a body in its place: its attributes given, its values renamed; `names` holds those that are known."""
    made = onnx.NodeProto()
    made.CopyFrom(inner)
    called = lambda name: names.setdefault(name, f"{place.prefix}/{name}") if name else ""
    made.input[:], made.output[:] = map(called, inner.input), map(called, inner.output)
    made.name = "/".join((place.label, inner.op_type))
    made.metadata_props.extend(place.known)
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
            _rename(new.g, place, names, attributes)
    widen_node(made)
    return made


def _rename(graph: onnx.GraphProto, place: Place, names: dict[str, str], attributes: dict) -> None:
    """The same within a way of an If, which reads values from around it."""
    inside = [written(inner, place, names, attributes) for inner in graph.node]
    del graph.node[:]
    graph.node.extend(inside)
    for value in (*graph.input, *graph.output, *graph.initializer):
        value.name = names.setdefault(value.name, f"{place.prefix}/{value.name}")


def read_from_outside(graph: onnx.GraphProto) -> set[str]:
    """The values that a graph within a node reads from around it, as those within its own nodes do."""
    made = {x.name for x in (*graph.input, *graph.initializer)} | {n for node in graph.node for n in node.output}
    read = {n for node in graph.node for n in node.input if n}
    inner = (read_from_outside(a.g) for node in graph.node for a in node.attribute if a.HasField("g"))
    return read.union(*inner, (o.name for o in graph.output)) - made


def type_of(kind: int, shape: tuple[int, ...]) -> onnx.TypeProto:
    return helper.make_tensor_type_proto(kind, shape)


def _schema(op: str, opset: Any) -> Any:
    domain, _, kind = op.rpartition(".")
    known = domain == "onnx" and kind not in _KEPT and onnx.defs.has(kind, _version(opset), "")
    return onnx.defs.get_schema(kind, _version(opset), "") if known else None


def _version(opset: Any) -> int:
    return next((o.version for o in opset if o.domain in ("", "ai.onnx")), 1)
