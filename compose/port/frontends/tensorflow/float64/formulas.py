"""Operations that TensorFlow has in float32 alone, by their formula in float64: resizing, and norms by neighbours.

They stand between casts until the shapes are known; then the formula takes their place, after it was held against the
operation itself on random numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework.graph_pb2 import GraphDef  # pyright: ignore[reportAttributeAccessIssue]
from tensorflow.core.framework.node_def_pb2 import NodeDef  # pyright: ignore[reportAttributeAccessIssue]

from compose.core.errors import PortError
from compose.core.registry import word
from compose.layers.resize import weights
from compose.port.frontends.tensorflow.constant_folding import Known
from compose.port.frontends.tensorflow.float64.nodes import constant, operation, said
from compose.port.frontends.tensorflow.float64.pool3d import VOLUMES, by_slices
from compose.port.frontends.tensorflow.passes.idioms import Idiom
from compose.port.frontends.tensorflow.rules.pool import pooled

_RESIZED = {"ResizeBilinear": "linear", "ResizeBicubic": "cubic", "ResizeArea": "area"}
_KERNELS = {
    b"triangle": "linear", b"keyscubic": "cubic", b"mitchellcubic": "mitchell", b"lanczos3": "lanczos3",
    b"lanczos5": "lanczos5", b"gaussian": "gaussian",
}  # fmt: skip
NARROW = (*_RESIZED, "ScaleAndTranslate", "LRN", *VOLUMES)
_FLOATS = {"ScaleAndTranslate": (0, 2, 3)}
_TABLE = 2e-3  # TensorFlow takes the coefficients of its bicubic from a table of 1024 places


def between_casts(node: Any) -> list[Any]:
    """The operation in float32, its floating-point inputs cast before it and its output after it."""
    made: list[Any] = []
    inner: Any = NodeDef(name=f"{node.name}/narrow", op=node.op, input=node.input)
    for key, value in node.attr.items():
        if not key.startswith("_"):
            inner.attr[key].CopyFrom(value)
    inner.attr["T"].type = tf.float32.as_datatype_enum
    for i in _FLOATS.get(node.op, (0,)):
        name = f"{node.name}/cast{i}"
        made.append(operation(name, "Cast", [node.input[i]], SrcT=tf.float64, DstT=tf.float32))
        inner.input[i] = f"{name}:0"
    out = operation(node.name, "Cast", [f"{inner.name}:0"], SrcT=tf.float32, DstT=tf.float64)
    return [*made, inner, out]


def by_formula(imported: Any, graph: Any, idioms: dict[str, Idiom]) -> Any:
    """The graph with operations between casts replaced by formulas; the layers they compute are added to `idioms`."""
    known = Known(imported)
    gone: set[str] = set()
    made: list[Any] = []
    for node in graph.node:
        if node.op in NARROW:
            name = node.name.removesuffix("/narrow")
            op = imported.get_operation_by_name(node.name)
            x = op.inputs[0].op.inputs[0]
            gone |= {node.name, name, *(f"{name}/cast{i}" for i in _FLOATS.get(node.op, (0,)))}
            if node.op in VOLUMES:
                layer, nodes = pooled(op), by_slices(name, op, x)
            else:
                layer, array, formula = _normed(op, x) if node.op == "LRN" else _resized(op, x, known)
                _hold(op, known, x, array)
                nodes = formula(name, x.name)
            idioms[f"{name}:0"] = Idiom(layer, x.name)
            made += nodes
    known.close()
    whole = GraphDef(node=[*(n for n in graph.node if n.name not in gone), *made])
    whole.versions.CopyFrom(graph.versions)
    return whole


def _resized(op: Any, x: Any, known: Known) -> Any:
    """The layer, its function of arrays, and its nodes: a matrix for each axis of space."""
    size = known.value(op.inputs[1])
    before = x.shape.as_list()[1:3]
    if size is None or None in before:
        raise PortError(f"resizing to a size that is known, got {op.name}")
    size = tuple(int(n) for n in size)
    if op.type == "ScaleAndTranslate":
        method = _KERNELS.get(op.get_attr("kernel_type"))
        scale, moved = (known.value(t.op.inputs[0]) for t in op.inputs[2:])
        whole = scale is not None and np.allclose(scale, np.divide(size, before), rtol=1e-6)
        if method is None or not whole or moved is None or moved.any():
            raise PortError(f"resizing by one of {', '.join(_KERNELS.values())} of the whole image, got {op.name}")
        options = {"antialias": True} if op.get_attr("antialias") else {}
    else:
        method = _RESIZED[op.type]
        aligned = op.get_attr("align_corners")
        half = op.type == "ResizeArea" or op.get_attr("half_pixel_centers")
        options = {} if half else {"coordinates": "align_corners" if aligned else "asymmetric"}
        method = "torch_cubic" if method == "cubic" and not half else method
        if op.type == "ResizeArea" and aligned:
            raise PortError("tf.image.resize(..., 'area') without align_corners")
    layer = word("resize")(size[0] if size[0] == size[1] else size, method, **options)
    parts = [
        weights(n, m, n / m, method, layer.antialias, layer.coordinates) for n, m in zip(before, size, strict=True)
    ]

    def formula(name: str, tensor: str) -> list[Any]:
        held = [constant(f"{name}/axis{i}", part) for i, part in enumerate(parts)]
        rows = _einsum(f"{name}/rows", "bhwc,ih->biwc", tensor, f"{held[0].name}:0")
        return [*held, rows, _einsum(name, "biwc,jw->bijc", f"{rows.name}:0", f"{held[1].name}:0")]

    return layer, lambda a: np.einsum("bhwc,ih,jw->bijc", a, *parts), formula


def _normed(op: Any, x: Any) -> Any:
    """Local response normalisation: the sum over neighbours is a product with a band of ones."""
    radius = op.get_attr("depth_radius")
    alpha, beta, bias = (float(said(np.asarray(op.get_attr(name), np.float32))) for name in ("alpha", "beta", "bias"))
    size = 2 * radius + 1
    layer = word("local_response_norm")(size, alpha=alpha * size, beta=beta, k=bias)
    channels = np.arange(x.shape[-1])
    band = alpha * (abs(channels[:, None] - channels) <= radius)

    def formula(name: str, tensor: str) -> list[Any]:
        numbers = {"band": band, "bias": np.float64(bias), "beta": np.float64(-beta)}
        two = lambda part, kind, a, b: operation(part, kind, [a, b], T=tf.float64)
        at = lambda part: f"{name}/{part}:0"
        return [
            *(constant(f"{name}/{key}", value) for key, value in numbers.items()),
            operation(f"{name}/square", "Square", [tensor], T=tf.float64),
            _einsum(f"{name}/sum", "bhwc,cd->bhwd", at("square"), at("band")),
            two(f"{name}/add", "AddV2", at("sum"), at("bias")),
            two(f"{name}/pow", "Pow", at("add"), at("beta")),
            two(name, "Mul", tensor, at("pow")),
        ]

    return layer, lambda a: a * (bias + a**2 @ band) ** -beta, formula


def _einsum(name: str, equation: str, *reads: str) -> Any:
    made = operation(name, "Einsum", reads, T=tf.float64)
    made.attr["equation"].s = equation.encode()
    made.attr["N"].i = len(reads)
    return made


def _hold(op: Any, known: Known, x: Any, array: Any) -> None:
    """Raise unless the formula is what TensorFlow computes, on random numbers."""
    given = [np.random.default_rng(0).normal(size=(2, *x.shape.as_list()[1:])).astype(np.float32)]
    for t in op.inputs[1:]:
        of = t.op.inputs[0] if t.op.type == "Cast" and "/cast" in t.op.name else t
        given.append(np.asarray(known.value(of), t.dtype.as_numpy_dtype))
    nodes = [constant(f"given{i}", value, wide=False) for i, value in enumerate(given)]
    alone = NodeDef.FromString(op.node_def.SerializeToString())
    alone.input[:] = [f"{node.name}:0" for node in nodes]
    with tf.Graph().as_default() as graph, tf.compat.v1.Session(graph=graph) as session:
        tf.graph_util.import_graph_def(GraphDef(node=[*nodes, alone]), name="")
        theirs = session.run(f"{op.name}:0")
    ours = array(given[0].astype(np.float64))
    bound = _TABLE if op.type == "ResizeBicubic" else 1e-5
    error = np.max(np.abs(theirs - ours)) / np.max(np.abs(ours))
    if not error < bound:
        raise PortError(f"a formula for {op.type} in float64 that TensorFlow agrees with, got an error of {error:.1e}")
