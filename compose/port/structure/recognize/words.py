"""The plain words that recognisers read, in one table, and patterns written with them."""

from __future__ import annotations

from compose.port.structure.recognize.pattern import Call, Pattern, Slot

EXP, LOG, LOG1P, ERF = "exp", "log", "log1p", "erf"
ABS, CLIP, SQRT, RSQRT, RECIPROCAL = "absolute", "clip", "sqrt", "rsqrt", "reciprocal"
SQUARE, POWER = "square", "power"
MEAN, VAR, SUM, MAX = "mean", "var", "sum", "max"
ADD, SUBTRACT, MULTIPLY, DIVIDE, MATMUL = "add", "subtract", "multiply", "divide", "matmul"
SCALE, ADD_CONSTANT = "scale", "add_constant"
STOP_GRADIENT, PERMUTE, RESHAPE = "stop_gradient", "permute", "reshape"


def exp(x: Pattern) -> Pattern:
    return Call(EXP, (x,))


def log(x: Pattern) -> Pattern:
    return Call(LOG, (x,))


def log1p(x: Pattern) -> Pattern:
    return Call(LOG1P, (x,))


def erf(x: Pattern) -> Pattern:
    return Call(ERF, (x,))


def absolute(x: Pattern) -> Pattern:
    return Call(ABS, (x,))


def reciprocal(x: Pattern) -> Pattern:
    return Call(RECIPROCAL, (x,))


def rsqrt(x: Pattern) -> Pattern:
    return Call(RSQRT, (x,))


def reduced(word: str, x: Pattern, keepdims: object = True) -> Pattern:
    """`mean`, `sum`, ... along an axis that the match reads, and that stays with length 1 unless `keepdims` differs."""
    return Call(word, (x,), (("axis", Slot("axis")), ("keepdims", keepdims)))


def mean(x: Pattern) -> Pattern:
    return reduced(MEAN, x)


def clip(x: Pattern, low: object, high: object) -> Pattern:
    return Call(CLIP, (x,), (("max", high), ("min", low)))


def activation(word: str, x: Pattern, **options: object) -> Pattern:
    return Call(word, (x,), tuple(sorted(options.items())))
