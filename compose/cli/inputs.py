"""Read examples from files (NumPy arrays, CSV tables, images) in the form that a network takes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from compose.core.errors import DataError
from compose.core.run import arguments


def read_inputs(path: Path, inputs: Any) -> Any:
    """The examples in a file, as a batch like `inputs` (shape and dtype). Raises `DataError` if they do not fit."""
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"{path}: cannot read this file type, only {', '.join(_READERS)}")
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    wanted = arguments(inputs)
    try:
        arrays = reader(path)
    except Exception as e:  # decoders of other libraries may raise anything for a broken file
        raise DataError(f"{path}: cannot be read: {str(e).splitlines()[0] if str(e) else type(e).__name__}") from None
    if len(arrays) != len(wanted):
        raise DataError(f"{path}: holds {len(arrays)} arrays, the network takes {len(wanted)}")
    fitted = tuple(_fit(path, a, want) for a, want in zip(arrays, wanted))
    return fitted if isinstance(inputs, tuple) else fitted[0]


def _npy(path: Path) -> list[np.ndarray]:
    return [np.lib.format.open_memmap(path, mode="r")]


def _npz(path: Path) -> list[np.ndarray]:
    with path.open("rb") as file, np.lib.npyio.NpzFile(file) as found:
        return [found[name] for name in sorted(found.files)]


def _csv(path: Path) -> list[np.ndarray]:
    with path.open() as file:
        first = file.readline()
    if not first.strip():
        raise ValueError("an empty table")
    return [np.loadtxt(path, delimiter=",", ndmin=2, skiprows=0 if _numbers(first) else 1)]


def _numbers(line: str) -> bool:
    try:
        return bool([float(cell) for cell in line.split(",")])
    except ValueError:
        return False


def _image(path: Path) -> list[np.ndarray]:
    """Pixel values in 0..1 for any format; the alpha channel is dropped."""
    from matplotlib.image import imread

    pixels = np.asarray(imread(path))
    if pixels.dtype.kind == "u":
        pixels = pixels / np.float32(np.iinfo(pixels.dtype).max)
    return [pixels[..., :3] if pixels.ndim == 3 else pixels]


_READERS = {".npy": _npy, ".npz": _npz, ".csv": _csv, ".png": _image, ".jpg": _image, ".jpeg": _image}


def _fit(path: Path, array: np.ndarray, want: Any) -> np.ndarray:
    if array.dtype.kind not in "biuf":
        raise DataError(f"{path}: expected numbers, got {array.dtype}")
    array = _shaped(path, array, tuple(want.shape[1:]))
    if not np.isfinite(array).all():
        raise DataError(f"{path}: holds a number that is NaN or infinite")
    if jnp.issubdtype(want.dtype, jnp.floating):
        return array.astype(want.dtype) if array.dtype.kind == "f" else array  # integers: the network raises
    with np.errstate(invalid="ignore"):
        integers = array.astype(want.dtype)
    if (integers != array).any():
        raise DataError(f"{path}: expected integers that fit in {want.dtype}")
    return integers


def _shaped(path: Path, array: np.ndarray, example: tuple[int, ...]) -> np.ndarray:
    """A batch from a batch or a single example, flat or not; RGB becomes grey if the network takes one channel."""
    size = math.prod(example)
    if array.ndim == 3 and array.shape[-1] == 3 and math.prod(array.shape[:2]) == size:
        array = array @ np.array((0.299, 0.587, 0.114), np.float32)
    if array.ndim == len(example) + 1 and array.shape[1:] == example:
        return np.asarray(array)
    if array.size == size:
        return array.reshape(1, *example)
    if array.ndim and math.prod(array.shape[1:]) == size:
        return array.reshape(len(array), *example)
    if array.ndim == len(example) + 1:
        return np.asarray(array)  # a different length, which the network may accept
    raise DataError(f"{path}: expected examples of shape {example}, got an array of shape {array.shape}")
