"""IDX, the file format of MNIST: a magic number, the shape, and the values; often gzipped."""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from typing import BinaryIO

import numpy as np

from compose.core.errors import DataError

_DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_CHUNK = 1 << 20


def read_idx(path: str | os.PathLike, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """The array in an IDX file, raw or gzipped.

    Args:
        shape: the expected shape of uint8 data; a file with a different shape is refused before it is read.

    Raises `DataError` if the file is incomplete or not an IDX file.
    """
    try:
        with open(path, "rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            if not packed:
                return _read(raw, path, shape)
            with gzip.GzipFile(fileobj=raw) as file:
                return _read(file, path, shape)  # pyright: ignore[reportArgumentType]
    except (EOFError, zlib.error, gzip.BadGzipFile) as e:
        raise DataError(f"{path}: the gzip file is damaged or truncated: {e}") from None
    except OSError as e:
        raise DataError(f"{path}: cannot be read: {e.strerror or e}") from None


def _read(file: BinaryIO, path, wanted: tuple[int, ...] | None) -> np.ndarray:
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _DTYPES or not 0 < magic[3] < 9:
        raise DataError(f"{path}: not an IDX file: it starts with {magic.hex(' ') or 'nothing'}")
    dtype, sizes = np.dtype(_DTYPES[magic[2]]), file.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise DataError(f"{path}: truncated inside its header")
    shape = struct.unpack(f">{magic[3]}I", sizes)
    if wanted is not None and (shape, dtype) != (wanted, np.dtype("u1")):
        raise DataError(f"{path}: expected bytes of shape {wanted}, got {dtype} of shape {shape}")
    size = math.prod(shape) * dtype.itemsize
    body = _at_most(file, size + 1)
    if len(body) != size:
        actual = f"only {len(body)}" if len(body) < size else "more"
        raise DataError(f"{path}: {shape} {dtype} takes {size} bytes, the file has {actual}")
    return np.frombuffer(body, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def _at_most(file: BinaryIO, size: int) -> bytearray:
    """Read up to `size` bytes. Memory grows only with the actual data, since `size` is untrusted."""
    body = bytearray()
    while len(body) < size:
        chunk = file.read(min(_CHUNK, size - len(body)))
        if not chunk:
            break
        body += chunk
    return body
