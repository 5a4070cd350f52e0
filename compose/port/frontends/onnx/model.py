"""An ONNX file in memory: nodes with their places in the source's modules, and arrays by name."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from compose.port.frontends.onnx.literals import meant

HALF = ("float16", "bfloat16")


@dataclass(frozen=True)
class Way:
    """One branch of an If.

    Attributes:
        nodes: what it computes.
        given: the names that it has for the inputs of the If but the first, which is the condition.
        outputs: what it returns.
    """

    nodes: tuple[Node, ...]
    given: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Node:
    """One operation.

    Attributes:
        op: its name with its domain, `onnx.Conv`, or one of those that are found in several, `onnx.compose.Linear`.
        inputs, outputs: names of values; "" for an optional one that is not there.
        attributes: by name, in Python's types; floats as they were meant.
        path, classes: the names of the modules around it, and their classes where the file says them.
        proto: as the file has it, or None.
        ways: of an If by data, for True and for False.
    """

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any] = field(default_factory=dict)
    path: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    name: str = ""
    proto: Any = None
    ways: tuple[Way, ...] = ()

    def get(self, name: str, default: Any = None) -> Any:
        return self.attributes.get(name, default)

    def but(self, **changes: Any) -> Node:
        return replace(self, **changes)

    @property
    def where(self) -> str:
        return f"node {self.name or '(unnamed)'}"


def node_of(proto: onnx.NodeProto) -> Node:
    path, classes = _place(proto)
    return Node(
        f"{proto.domain if proto.domain not in ('', 'ai.onnx') else 'onnx'}.{proto.op_type}",
        tuple(proto.input), tuple(proto.output), {a.name: _attribute(a) for a in proto.attribute},
        path, classes, proto.name, proto,
    )  # fmt: skip


def _attribute(attribute: onnx.AttributeProto) -> Any:
    value = onnx.helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, float):
        return meant(value)
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value)
    if attribute.type == onnx.AttributeProto.FLOATS:
        return tuple(map(meant, value))
    if attribute.type == onnx.AttributeProto.STRINGS:
        return tuple(v.decode() for v in value)
    return tuple(value) if attribute.type == onnx.AttributeProto.INTS else value


def _place(proto: onnx.NodeProto) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The modules around a node: of torch's exporter with its metadata, or from a name like `/layer1/layer1.0/Conv`."""
    kept = {p.key: p.value for p in proto.metadata_props}
    if "pkg.torch.onnx.name_scopes" in kept:
        scopes = ast.literal_eval(kept["pkg.torch.onnx.name_scopes"])[:-1]
        classes = ast.literal_eval(kept.get("pkg.torch.onnx.class_hierarchy", "[]"))[:-1]
        names = tuple(part for part in (scopes[-1] if scopes else "").split(".") if part)
        return names, tuple(cls.rpartition(".")[2] for cls in classes)[-len(names) :] if names else ()
    parts = [p for p in proto.name.split(";")[0].split("/") if p]
    names, before = [], ""
    for part in parts[:-1]:
        names.append(part.removeprefix(f"{before}.") if before else part)
        before = part
    return tuple(n for n in names if n not in ("StatefulPartitionedCall", "PartitionedCall")), ()


def array(tensor: onnx.TensorProto) -> np.ndarray:
    """A tensor's numbers; half precision, in which nothing is proven, as float32."""
    made = np.array(numpy_helper.to_array(tensor))
    return made.astype(np.float32) if str(made.dtype) in HALF else made
