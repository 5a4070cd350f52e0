"""Control flow: branches that are known, loops with a known number of steps, and both branches of a choice by data."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from compose.port.frontends.tensorflow.constant_folding import Known
from compose.port.frontends.tensorflow.float64.nodes import operation
from compose.port.frontends.tensorflow.inlining import ASSIGNS, Flat
from compose.port.frontends.tensorflow.passes.tensor_lists import without_lists

CHOICES = ("If", "StatelessIf")
LOOPS = ("While", "StatelessWhile")
WAYS = ("then", "else")
CHOICE = "choice"  # begins the names of the nodes that take the output of one of two ways
_MOST = 256  # steps of a loop

HINTS = {
    **dict.fromkeys(("If", "StatelessIf"), "tf.cond of a boolean whose ways assign no variables"),
    **dict.fromkeys(("Case", "StatelessCase"), "tf.cond within tf.cond"),
    **dict.fromkeys(("Switch", "Merge"), "tf.where"),
    **dict.fromkeys(("While", "StatelessWhile", "Enter", "Exit"), f"a loop of a known number of steps, up to {_MOST}"),
}

_OF_NUMBERS = {
    "AddV2": np.add, "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Less": np.less, "Greater": np.greater,
    "LessEqual": np.less_equal, "GreaterEqual": np.greater_equal, "Equal": np.equal, "NotEqual": np.not_equal,
    "LogicalAnd": np.logical_and, "LogicalOr": np.logical_or, "LogicalNot": np.logical_not, "Minimum": np.minimum,
    "Maximum": np.maximum, "Identity": np.asarray, "FloorDiv": np.floor_divide, "FloorMod": np.mod,
}  # fmt: skip


def settle(flat: Flat, outputs: list[str]) -> None:
    """Inline branches and loops whose condition is known, and both branches of a choice by data; other loops stay."""
    _without_switches(flat, outputs)
    left: set[str] = set()
    while True:
        flows = [n for n in flat.order(outputs) if n.op in CHOICES + LOOPS and n.name not in left]
        if not flows:
            break
        node = flows[0]
        known = Known(flat.imported(list(node.input)))
        done = _chosen(flat, node, known) if node.op in CHOICES else _unrolled(flat, node, known)
        known.close()
        done = done or (node.op in CHOICES and _both(flat, node))
        left |= set() if done else {node.name}
    if not left:
        without_lists(flat, outputs, lambda tensor: _number(flat, tensor, None))


def _chosen(flat: Flat, node: Any, known: Known) -> bool:
    """One branch of a choice by a number that is known."""
    which = _number(flat, node.input[0], known)
    if which is None:
        return False
    branch = flat.library[node.attr["then_branch" if which else "else_branch"].func.name]
    flat.become(node, flat.inline(branch, node.input[1:], f"{node.name}>", node.name))
    return True


def _both(flat: Flat, node: Any) -> bool:
    """Both ways of a choice by data, and for each output a node that takes that of one way, as `CHOICE` says.

    False if the condition is not boolean or a branch writes to variables.
    """
    ways = [flat.library[node.attr[name].func.name] for name in ("then_branch", "else_branch")]
    if node.attr["Tcond"].type != tf.bool.as_datatype_enum or any(_writes(flat, way) for way in ways):
        return False
    given, which = list(node.input[1:]), node.input[0]
    results = [flat.inline(way, given, f"{node.name}>{name}>", node.name) for way, name in zip(ways, WAYS)]
    ends = []
    for i, (pair, dtype) in enumerate(zip(zip(*results), node.attr["Tout"].list.type)):
        end = operation(f"{node.name}>{CHOICE}{i}", "SelectV2", [which, *pair], T=tf.as_dtype(dtype))
        flat.nodes[end.name] = end
        flat.before[end.name] = flat.before.get(node.name, [])
        ends.append(f"{end.name}:0")
    flat.become(node, ends)
    return True


def _writes(flat: Flat, function: Any) -> bool:
    """Whether a function, or one that it calls, writes to variables."""
    called = [a.func.name for n in function.node_def for a in n.attr.values() if a.HasField("func")]
    inner = [flat.library[name] for name in called if name in flat.library]
    return any(n.op in ASSIGNS for n in function.node_def) or any(_writes(flat, f) for f in inner)


def _unrolled(flat: Flat, node: Any, known: Known) -> bool:
    """The steps of a loop one after the other."""
    test, body = (flat.library[node.attr[name].func.name] for name in ("cond", "body"))
    values = list(node.input)
    turns = [values]
    for step in range(_MOST + 1):
        going = _number(flat, flat.inline(test, values, f"{node.name}>{step}?>", node.name)[0], known)
        if going is None or (going and step == _MOST):
            return False
        if not going:
            flat.become(node, values)
            flat.loops[node.name] = turns
            return True
        values = flat.inline(body, values, f"{node.name}>{step}>", node.name)
        turns.append(values)
    return False


def _number(flat: Flat, tensor: str, known: Known | None) -> np.ndarray | None:
    """The value of a tensor outside, or of one that is computed of numbers."""
    tensor = flat.settled(tensor)
    if tensor not in flat.numbers:
        made = _evaluated(flat, tensor, known)
        if made is None:
            return None
        flat.numbers[tensor] = made
    return flat.numbers[tensor]


def _evaluated(flat: Flat, tensor: str, known: Known | None) -> np.ndarray | None:
    node = flat.nodes[tensor.rpartition(":")[0]]
    if node.op == "Const":
        return tf.make_ndarray(node.attr["value"].tensor)
    if node.op in _OF_NUMBERS:
        parts = [_number(flat, i, known) for i in node.input]
        return None if any(p is None for p in parts) else np.asarray(_OF_NUMBERS[node.op](*parts))
    if known is None:
        return None
    try:
        return known.value(known.graph.get_tensor_by_name(tensor))
    except KeyError:
        return None


def _without_switches(flat: Flat, outputs: list[str]) -> None:
    """TF1's choices, as `tf.cond` made them of `Switch` and `Merge`, where their condition is known."""
    order = flat.order(outputs)
    if not any(n.op == "Merge" for n in order) or any(n.op == "Enter" for n in order):
        return
    dead: set[str] = set()
    for node in _with_control(flat, order):
        gone = any(i in dead for i in node.input) or any(b in dead for b in flat.before.get(node.name, []))
        if node.op == "Switch":
            which = _number(flat, node.input[1], None)
            if which is None:
                return
            flat.stands[f"{node.name}:{int(bool(which))}"] = node.input[0]
            dead.add(f"{node.name}:{int(not which)}")
            dead |= {node.name} if gone else set()
        elif node.op == "Merge":
            alive = [i for i in node.input if i not in dead and i.rpartition(":")[0] not in dead]
            if len(alive) == 1:
                flat.stands[f"{node.name}:0"] = alive[0]
        elif gone:
            dead |= {node.name, *(f"{node.name}:{i}" for i in range(8))}


def _with_control(flat: Flat, order: list[Any]) -> list[Any]:
    """The nodes, and those that must run before them, each after what it depends on."""
    done: dict[str, None] = {}
    stack = [(n.name, False) for n in reversed(order)]
    while stack:
        name, opened = stack.pop()
        if name in done or name not in flat.nodes:
            continue
        if opened:
            done[name] = None
            continue
        reads = [i.rpartition(":")[0] for i in flat.nodes[name].input]
        stack.append((name, True))
        stack += [(r, False) for r in (*reads, *flat.before.get(name, [])) if r not in done]
    return [flat.nodes[name] for name in done]
