"""Arithmetic: of several inputs, of two, of one and a number."""

from __future__ import annotations

from compose import ops
from compose.combinators.branch import add, divide, multiply, subtract
from compose.export.errors import ExportError
from compose.export.source.registry import follows, shares
from compose.export.source.text import number, options
from compose.layers.join import average, matmul, maximum, minimum
from compose.layers.norm.local import rescale
from compose.layers.take import add_constant, scale

SIGNS = {add: "+", multiply: "*", subtract: "-", divide: "/"}
BINARY = {
    "add": "{} + {}", "subtract": "{} - {}", "multiply": "{} * {}", "divide": "{} / {}", "power": "{} ** {}",
    "equal": "{} == {}", "not_equal": "{} != {}", "less": "{} < {}", "less_equal": "{} <= {}", "greater": "{} > {}",
    "greater_equal": "{} >= {}", "mod": "{} % {}", "remainder": "{} % {}", "floor_divide": "{} // {}",
    "bitwise_and": "{} & {}", "bitwise_or": "{} | {}", "bitwise_xor": "{} ^ {}", "matmul": "{} @ {}",
}  # fmt: skip
CALLED = (
    "logical_and", "logical_or", "logical_xor", "arctan2", "hypot", "logaddexp", "maximum", "minimum", "fmod",
    "copysign",
)  # fmt: skip


def together(w, layer, x):
    """The inputs as a tuple, of one layout."""
    return w.alike(x if isinstance(x, tuple) else (x,))


def text_of(w, layer) -> str:
    """The operation as an expression: an operator, or a function of the framework."""
    text = w.binary.get(layer.kind) or BINARY.get(layer.kind)
    if text is None:
        raise ExportError(f"an operation that {w.framework} has", layer.kind)
    return text


@shares(*SIGNS)
@follows
def arithmetic(w, layer, p, s, x):
    xs = together(w, layer, x)
    sign = next(sign for word, sign in SIGNS.items() if word.fn is layer.fn)
    out = w.out(layer, x)
    return w.made(f" {sign} ".join(["{}"] * len(xs)), *xs, shape=out.shape, dtype=out.dtype)


@shares(*(op for name in (*BINARY, *CALLED) if (op := getattr(ops, name, None)) is not None))
@follows
def binary(w, layer, p, s, x):
    xs, text, given = together(w, layer, x), text_of(w, layer), list(options(layer).items())
    out = w.out(layer, x)
    if len(xs) == 2 and not given:
        return w.made(text, *xs, shape=out.shape, dtype=out.dtype)
    if len(xs) != 1 or len(given) != 1 or not isinstance(given[0][1], (int, float)):
        raise ExportError("an operation of two inputs or of one and a number", f"{layer}")
    name, value = given[0]
    second = name in ("x2", "y", "other")
    constant = number(value) if layer.kind in BINARY else w.constant_number(value)
    parts = ("{}", constant) if second else (constant, "{}")
    before, middle, after = text.split("{}")
    made = before + parts[0] + middle + parts[1] + after
    return w.made(made, xs[0], shape=out.shape, dtype=out.dtype)


@shares(maximum, minimum)
@follows
def extreme(w, layer, p, s, x):
    (y, *rest), out = together(w, layer, x), w.out(layer, x)
    for other in rest:
        y = w.made(text_of(w, layer), y, other)
    return y.but(shape=out.shape, dtype=out.dtype)


@shares(ops.where)
@follows
def choice(w, layer, p, s, x):
    """A choice between two inputs, or between an input and the number `y`."""
    xs, given = together(w, layer, x), options(layer)
    parts = ["{}", "{}", number(given["y"]) if "y" in given else "{}"]
    if not set(given) <= {"y"} or parts.count("{}") != len(xs):
        raise ExportError("a choice between two inputs, or an input and a number", f"{layer}")
    out = w.out(layer, x)
    return w.made(text_of(w, layer).format(*parts), *xs, shape=out.shape, dtype=out.dtype)


@shares(average)
@follows
def mean(w, layer, p, s, x):
    xs = together(w, layer, x)
    return w.made(f"({' + '.join(['{}'] * len(xs))}) / {len(xs)}", *xs, shape=w.out(layer, x).shape)


@shares(matmul)
def product(w, layer, p, s, x):
    return w.made("{} @ {}", *x, shape=w.out(layer, x).shape)


@shares(scale, add_constant)
@follows
def by_constant(w, layer, p, s, x):
    given = options(layer)
    sign, value = ("*", given.get("by", 1.0)) if layer.fn is scale.fn else ("+", given.get("value", 0.0))
    return w.call(x, f"{{}} {sign} {number(value)}", dtype=w.out(layer, x).dtype)


@shares(rescale)
@follows
def affine(w, layer, p, s, x):
    tail = f" + {number(layer.offset)}" if layer.offset else ""
    return w.call(x, f"{{}} * {number(layer.factor)}{tail}", dtype=w.out(layer, x).dtype)
