"""A SavedModel as a LiteRT model of eight bits: a program of its own, which needs TensorFlow alone.

Run: python quantize.py FOLDER ROWS.npz MODEL.tflite
"""

from __future__ import annotations

import sys
from pathlib import Path

SIGNATURE = "serving_default"


def main(folder: str, rows: str, path: str) -> None:
    """Convert the model in a folder; `rows` has an array `(steps, batch, ...)` for each input."""
    import numpy as np
    import tensorflow as tf

    with np.load(rows) as held:
        arrays = dict(held)
    steps = len(next(iter(arrays.values())))
    converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[SIGNATURE])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: (
        (SIGNATURE, {name: array[i] for name, array in arrays.items()}) for i in range(steps)
    )
    Path(path).write_bytes(converter.convert())


if __name__ == "__main__":
    main(*sys.argv[1:])
