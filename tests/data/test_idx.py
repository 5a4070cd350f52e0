"""IDX files, whole and malformed."""

import gzip
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compose.data import DataError, read_idx


def idx(array: np.ndarray) -> bytes:
    """The file of an array of bytes."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["raw", "gzip"])
def test_reads_raw_and_gzipped(tmp_path, pack):
    (tmp_path / "f").write_bytes(pack(idx(IMAGES)))
    read = read_idx(tmp_path / "f")
    np.testing.assert_array_equal(read, IMAGES)
    assert read.dtype == np.uint8


@pytest.mark.parametrize(("code", "dtype"), [(9, ">i1"), (11, ">i2"), (12, ">i4"), (13, ">f4"), (14, ">f8")])
def test_reads_every_number_type(tmp_path, code, dtype):
    values = np.array([1, -2, 100], dtype)
    (tmp_path / "f").write_bytes(struct.pack(">BBBBI", 0, 0, code, 1, 3) + values.tobytes())
    read = read_idx(tmp_path / "f")
    np.testing.assert_array_equal(read, values)
    assert read.dtype.isnative


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an IDX file: it starts with nothing"),
        (b"\0\0", "not an IDX file: it starts with 00 00"),
        (b"\x89PNG\r\n", "not an IDX file: it starts with 89 50 4e 47"),
        (b"\0\0\x07\x03" + b"\0" * 20, "not an IDX file"),
        (b"\0\0\x08\x00", "not an IDX file"),
        (idx(IMAGES)[:10], "truncated inside its header"),
        (idx(IMAGES)[:-1], "takes 24 bytes, the file has only 23"),
        (idx(IMAGES) + b"x", "takes 24 bytes, the file has more"),
        (b"\0\0\x08\x03" + b"\xff" * 12 + b"abc", "the file has only 3"),
        (gzip.compress(idx(IMAGES), mtime=0)[:-9], "gzip file is damaged or truncated"),
        (b"\x1f\x8b" + b"garbage" * 4, "gzip file is damaged or truncated"),
    ],
)
def test_a_malformed_file_says_how(tmp_path, content, message):
    (tmp_path / "f").write_bytes(content)
    with pytest.raises(DataError, match=message) as e:
        read_idx(tmp_path / "f")
    assert str(tmp_path / "f") in str(e.value)


def test_another_shape_than_wanted(tmp_path):
    (tmp_path / "f").write_bytes(idx(IMAGES))
    with pytest.raises(DataError, match=r"expected bytes of shape \(2, 28, 28\), got uint8 of shape \(2, 3, 4\)"):
        read_idx(tmp_path / "f", (2, 28, 28))


def test_a_missing_file(tmp_path):
    with pytest.raises(DataError, match="cannot be read: No such file"):
        read_idx(tmp_path / "f")


@given(st.binary(max_size=60), st.booleans())
def test_any_bytes_are_read_or_refused(tmp_path_factory, content, packed):
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(gzip.compress(content) if packed else content)
    try:
        array = read_idx(path)
    except DataError:
        return
    assert content.endswith(array.astype(array.dtype.newbyteorder(">")).tobytes())
