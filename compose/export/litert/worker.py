"""Converts and runs models, one request a line: a program of its own, since TensorFlow's converter may crash.

It needs TensorFlow and ai-edge-litert alone. A request is JSON, `{"do": "convert" or "run", ...}` with the arguments of
the function of that name; the answer is `{}`, or `{"error": text}`.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

SIGNATURE = "serving_default"


def convert(folder: str, precision: str | None, rows: str | None, model: str) -> None:
    """Convert a SavedModel; `rows` is a file with the examples of a calibration, `(steps, batch, ...)` by input."""
    import numpy as np
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[SIGNATURE])
    if precision is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if rows is not None:
        with np.load(rows) as held:
            arrays = dict(held)
        steps = range(len(next(iter(arrays.values()))))
        converter.representative_dataset = lambda: ((SIGNATURE, {k: a[i] for k, a in arrays.items()}) for i in steps)
    Path(model).write_bytes(converter.convert())


def run(model: str, given: str, made: str) -> None:
    """Run a model on the arrays of a file, and write its outputs into another."""
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    with np.load(given) as held:
        arrays = dict(held)
    np.savez(made, **Interpreter(model).get_signature_runner(SIGNATURE)(**arrays))


def main() -> None:
    """Answer until the input ends; what libraries print goes to the standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    functions = {"convert": convert, "run": run}
    for line in sys.stdin:
        request: dict[str, Any] = json.loads(line)
        answer = {}
        try:
            functions[request.pop("do")](**request)
        except Exception as e:  # the classes of the converter are not public
            answer["error"] = str(e) or type(e).__name__
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
