"""The work: sizes and data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PRECISIONS = ("bfloat16", "float32")
STEPS = 20  # a measurement is the mean of so many


@dataclass(frozen=True)
class Size:
    batch: int
    depth: int = 12
    width: int = 768
    heads: int = 12
    length: int = 1024
    vocabulary: int = 32768
    image: int = 224
    blocks: tuple[int, ...] = (3, 4, 6, 3)


WORK = {"lm": Size(batch=8), "resnet50": Size(batch=64)}
TINY = {
    "lm": Size(batch=2, depth=2, width=32, heads=2, length=16, vocabulary=64),
    "resnet50": Size(batch=2, image=32, blocks=(1, 1, 1, 1)),
}


def sized(work: str, tiny: bool) -> Size:
    return (TINY if tiny else WORK)[work]


def data(work: str, size: Size) -> tuple[np.ndarray, np.ndarray]:
    """Examples for `STEPS` steps: inputs, and labels of each token or image. Images have their channels last."""
    rng, count = np.random.default_rng(0), STEPS * size.batch
    if work == "lm":
        ids = rng.integers(0, size.vocabulary, (count, size.length + 1)).astype(np.int32)
        return ids[:, :-1], ids[:, 1:]
    images = rng.random((size.batch, size.image, size.image, 3), np.float32)
    return np.tile(images, (STEPS, 1, 1, 1)), rng.integers(0, 1000, count).astype(np.int32)
