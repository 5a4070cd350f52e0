"""The bytes of a model file: safetensors with a SHA-256 of every byte.

The digest is stored in the file's own metadata and computed with zeros in its place. It therefore covers the
length, the header, the padding, each tensor, and anything before or after them. Later formats keep this rule,
so that an old reader can tell a newer file from a damaged one.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
from safetensors import SafetensorError, deserialize
from safetensors.numpy import save as serialize

from compose.atomic import replacing
from compose.core.errors import FileError

VERSION = 1
MAX_HEADER = 32 << 20  # bytes; a real header takes about a hundred per tensor and per epoch

_ZEROS = "0" * 64
_DIGEST = re.compile(rb'"sha256":"([^"]{64})"')  # inside a JSON string the quotes would be escaped
_DTYPES = {
    "BOOL": "bool", "U8": "uint8", "U16": "uint16", "U32": "uint32", "U64": "uint64", "I8": "int8", "I16": "int16",
    "I32": "int32", "I64": "int64", "F16": "float16", "BF16": "bfloat16", "F32": "float32", "F64": "float64",
    "C64": "complex64", "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2FNUZ": "float8_e5m2fnuz", "F8_E8M0": "float8_e8m0fnu",
}  # fmt: skip


def write(path: str | os.PathLike, tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> None:
    """Write the file atomically; the same content gives the same bytes. Raises `FileError` on failure."""
    parts = pack(tensors, {**metadata, "format": "compose", "version": str(VERSION)})
    try:
        with replacing(path) as file:
            file.writelines(parts)
    except OSError as e:
        raise FileError(f"{path}: cannot be written, and is unchanged: {e.strerror or e}") from e


def pack(tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> tuple[bytes, memoryview]:
    """The bytes of a file in two parts: the header with the digest filled in, and the tensors."""
    for name, array in tensors.items():
        if array.dtype.name not in _DTYPES.values():
            raise FileError(f"{name}: the format has no {array.dtype.name}; it has {', '.join(_DTYPES.values())}")
    data = serialize({k: np.asarray(v, order="C") for k, v in tensors.items()})
    size = int.from_bytes(data[:8], "little")
    header = {"__metadata__": dict(sorted({**metadata, "sha256": _ZEROS}.items())), **json.loads(data[8 : 8 + size])}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > MAX_HEADER:
        raise FileError(f"the header has {len(text)} bytes; the limit is {MAX_HEADER}")
    body = memoryview(data)[8 + size :]
    return seal(len(text).to_bytes(8, "little") + text, body), body


def seal(head: bytes, body: bytes | memoryview) -> bytes:
    """The header with the digest of all bytes filled in."""
    return _DIGEST.sub(lambda found: b'"sha256":"' + _hash(head, body, found.span(1)) + b'"', head, count=1)


def read(path: str | os.PathLike) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """The metadata and the tensors. Raises `FileError`, which says what is wrong, unless every byte is intact."""
    data = _bytes(path)
    metadata = _verified(path, data).get("__metadata__")
    metadata = metadata if isinstance(metadata, dict) else {}
    version = str(metadata.get("version"))
    if metadata.get("format") != "compose" or not re.fullmatch("[1-9][0-9]{0,8}", version):
        raise FileError(f"{path}: not a compose model file: format {metadata.get('format')!r}, version {version!r}")
    if int(version) > VERSION:
        raise FileError(f"{path}: format {version} is newer than {VERSION}, the latest supported; upgrade compose-jax")
    return metadata, unpack(path, data)


def _bytes(path: str | os.PathLike) -> bytes:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # a pipe would block, and a device never ends
            raise FileError(f"{path}: not a file")
        with open(path, "rb") as file:
            return file.read()
    except OSError as e:
        raise FileError(f"{path}: cannot be read: {e.strerror or e}") from None


def _verified(path, data: bytes) -> dict:
    """The header, after checking the digest."""
    if not data:
        raise FileError(f"{path}: an empty file")
    size = int.from_bytes(data[:8], "little")
    ours = b'"compose":"' in data[:1024] or _DIGEST.search(data, 0, MAX_HEADER) is not None
    if len(data) < 8 + size or size > MAX_HEADER or data[8:9] != b"{":
        if ours:
            raise FileError(f"{path}: damaged or truncated: {len(data)} bytes, with a header of {size}")
        raise FileError(f"{path}: not a model file")
    head, body = data[: 8 + size], memoryview(data)[8 + size :]
    header, found = _header(head[8:]), _DIGEST.search(head)
    if not header or not found:
        if ours:
            raise FileError(f"{path}: damaged: its header cannot be read")
        if header:
            raise FileError(f"{path}: a safetensors file without a network; it was not written by compose")
        raise FileError(f"{path}: not a model file")
    if _hash(head, body, found.span(1)) != found[1]:
        complete = len(head) + _length(header)
        if len(data) < complete:
            raise FileError(f"{path}: damaged or truncated: {len(data)} of {complete} bytes")
        raise FileError(f"{path}: damaged: its bytes do not match its SHA-256")
    return header


def _hash(head: bytes, body: bytes | memoryview, place: tuple[int, int]) -> bytes:
    """The digest of all bytes, with zeros where the digest is stored."""
    digest = hashlib.sha256()
    for part in (head[: place[0]], _ZEROS.encode(), head[place[1] :], body):
        digest.update(part)
    return digest.hexdigest().encode()


def _header(text: bytes) -> dict:
    """The parsed header; empty if it cannot be parsed."""
    try:
        header = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return header if isinstance(header, dict) else {}


def _length(header: dict) -> int:
    """The number of bytes of tensors according to the header."""
    offsets = [entry.get("data_offsets") for entry in header.values() if isinstance(entry, dict)]
    return max((o[1] for o in offsets if isinstance(o, list) and len(o) == 2 and isinstance(o[1], int)), default=0)


def unpack(path, data: bytes) -> dict[str, np.ndarray]:
    """The tensors in the bytes of a safetensors file. Raises `FileError` if it is not one."""
    try:
        entries = deserialize(data)
    except SafetensorError as e:
        raise FileError(f"{path}: not valid safetensors: {e}") from None
    tensors = {}
    for name, entry in entries:
        if entry["dtype"] not in _DTYPES:
            raise FileError(f"{path}: {name} has dtype {entry['dtype']}, which is not supported")
        tensors[name] = np.frombuffer(entry["data"], jnp.dtype(_DTYPES[entry["dtype"]])).reshape(entry["shape"])
    return tensors
