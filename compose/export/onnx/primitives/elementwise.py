"""Arithmetic, comparisons and functions of each element."""

from __future__ import annotations

from typing import Any

import numpy as np

from compose.export.errors import ExportError
from compose.export.onnx.registry import primitive

SAME = {
    "neg": "Neg", "sign": "Sign", "floor": "Floor", "ceil": "Ceil", "exp": "Exp", "log": "Log",
    "sin": "Sin", "cos": "Cos", "tan": "Tan", "asin": "Asin", "acos": "Acos", "atan": "Atan", "sinh": "Sinh",
    "cosh": "Cosh", "tanh": "Tanh", "asinh": "Asinh", "acosh": "Acosh", "atanh": "Atanh", "erf": "Erf",
    "logistic": "Sigmoid", "sqrt": "Sqrt",
}  # fmt: skip
BINARY = {"add": "Add", "add_any": "Add", "sub": "Sub", "mul": "Mul", "max": "Max", "min": "Min"}
COMPARED = {
    "eq": "Equal", "lt": "Less", "le": "LessOrEqual", "gt": "Greater", "ge": "GreaterOrEqual", "eq_to": "Equal",
    "lt_to": "Less", "le_to": "LessOrEqual",
}  # fmt: skip
LOGIC = {"and": ("And", "BitwiseAnd"), "or": ("Or", "BitwiseOr"), "xor": ("Xor", "BitwiseXor")}


def out(equation) -> dict[str, Any]:
    """The shape and dtype of the output of an equation."""
    aval = equation.outvars[0].aval
    return {"shape": aval.shape, "dtype": aval.dtype}


@primitive(*SAME)
def same(writer, equation, x):
    return writer.node(SAME[equation.primitive.name], x)


@primitive(*BINARY)
def binary(writer, equation, a, b):
    name = equation.primitive.name
    if np.dtype(equation.outvars[0].aval.dtype) == bool and name in ("max", "min"):
        return writer.node("Or" if name == "max" else "And", a, b, **out(equation))
    return writer.node(BINARY[name], a, b, **out(equation))


@primitive("div")
def div(writer, equation, a, b):
    return writer.node("Div", a, b, **out(equation))


@primitive("rem")
def rem(writer, equation, a, b):
    return writer.node("Mod", a, b, fmod=1, **out(equation))


@primitive("pow")
def power(writer, equation, a, b):
    return writer.node("Pow", a, b, **out(equation))


@primitive("integer_pow")
def integer_pow(writer, equation, x):
    y = equation.params["y"]
    if y in (2, 3):
        square = writer.node("Mul", x, x)
        return square if y == 2 else writer.node("Mul", square, x)
    if y == -1:
        return writer.node("Reciprocal", x)
    return writer.node("Pow", x, writer.scalar(y, x))


@primitive("square")
def square(writer, equation, x):
    return writer.node("Mul", x, x)


@primitive("rsqrt")
def rsqrt(writer, equation, x):
    return writer.node("Reciprocal", writer.node("Sqrt", x))


@primitive("cbrt")
def cbrt(writer, equation, x):
    size = writer.node("Pow", writer.node("Abs", x), writer.scalar(1 / 3, x))
    return writer.node("Mul", writer.node("Sign", x), size)


@primitive("exp2")
def exp2(writer, equation, x):
    return writer.node("Pow", writer.scalar(2, x), x, like=x)


@primitive("log1p")
def log1p(writer, equation, x):
    """`log(u) · x / (u - 1)` of `u = 1 + x`, exact where `x` is small; `x` itself where `u` is 1."""
    one = writer.scalar(1, x)
    u = writer.node("Add", x, one)
    less = writer.node("Sub", u, one)
    tiny = writer.node("Equal", less, writer.scalar(0, x), dtype=bool)
    endless = writer.node("IsInf", u, dtype=bool)
    plain = writer.node("Log", u)
    ratio = writer.node("Div", x, writer.node("Where", tiny, one, less, like=x))
    y = writer.node("Where", endless, plain, writer.node("Mul", plain, ratio), like=x)
    return writer.node("Where", tiny, x, y, like=x)


@primitive("expm1")
def expm1(writer, equation, x):
    """`2 t / (1 - t)` of `t = tanh(x / 2)` where `x` is small, `exp(x) - 1` elsewhere."""
    one = writer.scalar(1, x)
    small = writer.node("Less", writer.node("Abs", x), one, dtype=bool)
    near = writer.node("Where", small, x, writer.scalar(0, x), like=x)
    t = writer.node("Tanh", writer.node("Mul", near, writer.scalar(0.5, x)))
    exact = writer.node("Div", writer.node("Add", t, t), writer.node("Sub", one, t, like=t))
    return writer.node("Where", small, exact, writer.node("Sub", writer.node("Exp", x), one), like=x)


@primitive("erfc")
def erfc(writer, equation, x):
    return writer.node("Sub", writer.scalar(1, x), writer.node("Erf", x), like=x)


@primitive("round")
def rounded(writer, equation, x):
    if int(equation.params["rounding_method"]) == 1:
        return writer.node("Round", x)
    half = writer.node("Floor", writer.node("Add", writer.node("Abs", x), writer.scalar(0.5, x)))
    return writer.node("Mul", writer.node("Sign", x), half)


@primitive("atan2")
def atan2(writer, equation, y, x):
    kind = out(equation)
    zero, pi = np.zeros((), kind["dtype"]), np.asarray(np.pi, kind["dtype"])
    still = writer.node("Equal", x, zero, shape=x.shape, dtype=bool)
    safe = writer.node("Where", still, np.ones((), kind["dtype"]), x, like=x)
    plain = writer.node("Atan", writer.node("Div", y, safe, **kind))
    negative = writer.node("Less", y, zero, shape=y.shape, dtype=bool)
    turn = writer.node("Where", negative, -pi, pi, shape=y.shape, dtype=kind["dtype"])
    left = writer.node("Less", x, zero, shape=x.shape, dtype=bool)
    swung = writer.node("Where", left, writer.node("Add", plain, turn, **kind), plain, **kind)
    upright = writer.node("Mul", writer.node("Sign", y), pi / 2, shape=y.shape, dtype=kind["dtype"])
    return writer.node("Where", still, upright, swung, **kind)


@primitive("is_finite")
def is_finite(writer, equation, x):
    off = writer.node("Or", writer.node("IsNaN", x, dtype=bool), writer.node("IsInf", x, dtype=bool))
    return writer.node("Not", off)


@primitive(*COMPARED)
def compared(writer, equation, a, b):
    if np.dtype(a.dtype) == bool and not equation.primitive.name.startswith("eq"):
        a, b = (writer.cast(v, np.int32) for v in (a, b))
    return writer.node(COMPARED[equation.primitive.name], a, b, **out(equation))


@primitive("ne")
def different(writer, equation, a, b):
    return writer.node("Not", writer.node("Equal", a, b, **out(equation)))


@primitive(*LOGIC)
def logic(writer, equation, a, b):
    plain, bits = LOGIC[equation.primitive.name]
    return writer.node(plain if np.dtype(a.dtype) == bool else bits, a, b, **out(equation))


@primitive("not")
def negated(writer, equation, x):
    return writer.node("Not" if np.dtype(x.dtype) == bool else "BitwiseNot", x)


@primitive("select_n")
def select(writer, equation, which, *cases):
    if len(cases) != 2 or np.dtype(which.dtype) != bool:
        raise ExportError("a choice between two values", f"one of {len(cases)}")
    if isinstance(which, np.ndarray) and (which.all() or not which.any()):
        chosen = writer.cast(cases[int(which.all())], out(equation)["dtype"])
        return writer.expand(chosen, out(equation)["shape"]) if chosen.shape else chosen
    return writer.node("Where", which, cases[1], cases[0], **out(equation))


@primitive("clamp")
def clamp(writer, equation, low, x, high):
    return writer.node("Min", writer.node("Max", x, low, like=x), high, like=x)


@primitive("convert_element_type")
def convert(writer, equation, x):
    return writer.cast(x, equation.params["new_dtype"])


@primitive("nextafter", "population_count", "clz", "shift_left", "shift_right_logical", "shift_right_arithmetic")
def bits(writer, equation, *inputs):
    raise ExportError("operations on numbers", f"{equation.primitive.name} on their bits")
