"""How many of the tests of single operations that come with onnx port, and whether what ports computes the same.

    python benchmarks/onnx_nodes.py                  all of them
    python benchmarks/onnx_nodes.py Conv LSTM        those of these operations, with what was said of each

Each test is ported twice where it has several inputs: with all that are in floating point as inputs of the network, and
with all but the first as weights of the file; whole numbers after the first are constants in both. `refused` is a
`PortError`, `unequal` a port that computes something else than the test says, `failed` any other exception; the last
two are faults.
"""

from __future__ import annotations

import argparse
import functools
import os
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from typing import Any

os.environ.setdefault("JAX_PLATFORMS", "cpu")
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import jax
import numpy as np
import onnx
from onnx import numpy_helper

from compose import port
from compose.core.errors import PortError

KINDS = ("equal", "refused", "unequal", "failed")
FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("operations", nargs="*", help="by default all")
    args = parser.parse_args()
    rows: dict[str, Counter] = {}
    for i, case in enumerate(cases(*args.operations)):
        if i % 50 == 49:
            jax.clear_caches()
        for form, model in forms(case):
            kind, said = outcome(case, model)
            rows.setdefault(operation(case), Counter())[kind] += 1
            if kind in ("unequal", "failed") or args.operations:
                print(f"{kind:8} {case.name} ({form}): {said}", flush=True)
    print(f"\n{'operation':32}" + "".join(f"{kind:>9}" for kind in KINDS))
    for name in sorted(rows):
        print(f"{name:32}" + "".join(f"{rows[name][kind] or '':>9}" for kind in KINDS))
    total = sum(rows.values(), Counter())
    print(f"{'all':32}" + "".join(f"{total[kind]:>9}" for kind in KINDS))
    raise SystemExit(bool(total["unequal"] + total["failed"]))


def cases(*operations: str) -> Iterator[Any]:
    """The tests of tensors in floating point that have a gradient: a float comes in, and a float goes out."""
    for case in _all():
        values = (*case.model.graph.input, *case.model.graph.output)
        tensors = all(v.type.HasField("tensor_type") for v in values)
        has_float = lambda side: any(v.type.tensor_type.elem_type in FLOATS for v in side)
        chosen = not operations or operation(case) in operations
        drawn = case.name.startswith("test_training_dropout") or "random" in case.name or "bernoulli" in case.name
        if (
            chosen
            and tensors
            and not drawn
            and has_float(case.model.graph.input)
            and has_float(case.model.graph.output)
        ):
            yield case


@functools.cache
def _all() -> list[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the tests, about their own division by zero
        from onnx.backend.test.case.node import collect_testcases

        return collect_testcases(None)  # pyright: ignore[reportReturnType]


def operation(case: Any) -> str:
    """The operation that a test is about."""
    return "(written out)" if "_expanded" in case.name else case.model.graph.node[0].op_type


def forms(case: Any) -> Iterator[tuple[str, onnx.ModelProto]]:
    """The model with its floats as inputs, and where there are several of them with all but the first as weights."""
    inputs = case.model.graph.input
    whole = {x.name for x in inputs[1:] if x.type.tensor_type.elem_type not in FLOATS}
    rest = {x.name for x in inputs[1:]}
    yield "values", _with_weights(case, whole)
    if rest - whole:
        yield "weights", _with_weights(case, rest)


def _with_weights(case: Any, names: set[str]) -> onnx.ModelProto:
    made = onnx.ModelProto.FromString(case.model.SerializeToString())
    given = zip(case.model.graph.input, arrays(case.data_sets[0][0]))
    made.graph.initializer.extend(numpy_helper.from_array(a, x.name) for x, a in given if x.name in names)
    kept = [x for x in case.model.graph.input if x.name not in names]
    del made.graph.input[:]
    made.graph.input.extend(kept)
    return made


def arrays(values: Any) -> list[np.ndarray]:
    """The test's arrays; those of types that NumPy lacks are kept as protos there."""
    return [numpy_helper.to_array(v) if isinstance(v, onnx.TensorProto) else np.asarray(v) for v in values]


def outcome(case: Any, model: onnx.ModelProto) -> tuple[str, str]:
    """One of `KINDS`, and why."""
    given, wanted = map(arrays, case.data_sets[0])
    named = dict(zip((x.name for x in case.model.graph.input), given))
    inputs = [named[x.name] for x in model.graph.input]
    try:
        ported = port.from_onnx(model, *inputs)
        params, state = ported.params, ported.state
        narrow = [x.astype(np.float32) if x.dtype == np.float64 else x for x in ported.ours(inputs)]
        made = ported.net.apply(params, state, *narrow)[0]
        outputs = ported.theirs_out([np.asarray(y) for y in jax.tree.leaves(made)])
    except PortError as e:
        return "refused", str(e).replace("\n", " ")
    except Exception as e:
        return "failed", f"{type(e).__name__}: {str(e).splitlines()[0] if str(e) else ''}"
    for ours, theirs in zip(outputs, wanted, strict=True):
        if ours.shape != np.shape(theirs):
            return "unequal", f"shape {ours.shape}, not {np.shape(theirs)}: {ported.net}"
        if not np.allclose(ours, theirs, rtol=1e-3, atol=1e-5, equal_nan=True):
            return "unequal", f"by {np.max(np.abs(ours - theirs)):.1e}: {ported.net}"
    return "equal", str(ported.net)


if __name__ == "__main__":
    main()
