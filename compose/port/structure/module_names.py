"""Which of the source's names are kept: those that tell more than the kind of the layer does."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator

from compose.combinators import branch, repeat, residual
from compose.core.editing import named
from compose.core.layer import Layer
from compose.port.structure.piece import Piece

_WRAPPERS = {"model", "module", "net", "body", "main", "block"}
CONTAINERS = {"Sequential", "ModuleList", "ModuleDict", "Functional", "Model"}

_KINDS = {
    "act", "activation", "avgpool", "batch", "batchnorm", "bias", "bn", "branch", "conv", "convolution",
    "dense", "drop", "dropout", "downsample", "fc", "flatten", "gelu", "gn", "gru", "layer", "layernorm",
    "lin", "linear", "ln", "lstm", "maxpool", "module", "norm", "normalization", "op", "pool", "relu", "rnn",
    "seq", "sequential", "shortcut", "sigmoid", "silu", "softmax", "swish", "tanh",
}  # fmt: skip
_SIZE = re.compile(r"\d+x\d+")


def leaf_label(name: str, layer: Layer, cls: str) -> str:
    """The name of a single layer: none where it is only the kind of the layer, or its number."""
    words = _words(name)
    kinds = _KINDS | set(_words(cls)) | set(_words(layer.kind)) | {layer.kind.replace("_", "")}
    plain = [re.sub(r"\d*d?$", "", w) for w in words]
    numbered = re.search(r"\d_*[A-Za-z]", name)  # as "block_1_expand", one of many, or "conv3x3"
    return "" if numbered or not words or any(w in kinds or not w for w in (*plain, *words)) else _key(name)


def scope_label(name: str, cls: str = "", around: str = "") -> str:
    """The name of a module: none where it is a number, a wrapper, its class, as `Block_0`, or the kinds of its layers.

    A number may follow the name of the enclosing module, as `block2-0`; `branch3x3_1` and `conv_bn` name the contents.
    """
    counted = bool(cls) and re.fullmatch(rf"(.*_)?{re.escape(cls)}_?\d+[a-z]?", name) is not None
    numbered = name.isdigit() or name.removeprefix(around).strip("-_.").isdigit()
    words = _words(name)
    described = len(words) > 1 and _KINDS.issuperset(words)
    dropped = counted or numbered or described or _SIZE.search(name) or name.lower() in _WRAPPERS
    return "" if dropped else _key(name)


def snake(name: str) -> str:
    """`BasicBlock` as `basic_block`."""
    return "_".join(_words(name))


def name_all(piece: Piece) -> Piece:
    """Labels as names where they become keys; those of siblings that differ only in a number are dropped."""
    kids = _unnumbered(piece.kids)
    labels = Counter(kid.label for kid in kids)
    taken = {key for key, _ in piece.layer.children()}
    parts = []
    for i, kid in enumerate(kids):
        fixed = isinstance(piece.layer, (residual, repeat)) or (isinstance(piece.layer, branch) and i == len(kids) - 1)
        keeps = kid.holds and not fixed and labels[kid.label] == 1 and kid.label not in taken
        parts.append(name_all(kid if keeps else kid.but(label="")))
    new = piece.around(tuple(parts))
    return new.but(layer=named(piece.label, new.layer)) if piece.label else new


def _unnumbered(kids: tuple[Piece, ...]) -> tuple[Piece, ...]:
    """Pieces that are equal except for numbers in the names inside, without those names."""
    alike: dict[tuple, list[int]] = defaultdict(list)
    for i, kid in enumerate(kids):
        alike[kid.layer, tuple(re.sub(r"\d+$", "", inner.label) for inner in kid.walk())].append(i)
    parts = list(kids)
    for group in alike.values():
        labels = [[inner.label for inner in kids[i].walk()] for i in group]
        differ = [len(set(column)) > 1 for column in zip(*labels)]
        for i in group:
            parts[i] = _cleared(kids[i], iter(differ)) if any(differ) else kids[i]
    return tuple(parts)


def _cleared(piece: Piece, differ: Iterator[bool]) -> Piece:
    label = "" if next(differ) else piece.label
    return piece.but(label=label, kids=tuple(_cleared(kid, differ) for kid in piece.kids))


def _words(name: str) -> list[str]:
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return [w.lower() for w in re.split(r"[\W_]+", split) if w and not w.isdigit()]


def _key(name: str) -> str:
    return name.replace("/", "_")
