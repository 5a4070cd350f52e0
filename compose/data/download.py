"""Download a file into the cache folder, and verify it before it gets its final name."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import sys
import urllib.error
import urllib.request
import zlib
from pathlib import Path

from compose.atomic import replacing
from compose.core.errors import DataError

TIMEOUT = 30.0  # seconds without receiving data
_CHUNK = 1 << 16


def fetch(name: str, mirrors: tuple[str, ...], target: Path, sha256: str, size: int) -> Path:
    """Download the gzipped file `name` from the first mirror that serves it intact.

    Args:
        mirrors: URLs of folders, ending in a slash.
        sha256, size: of the uncompressed content, since compression may differ between mirrors.

    Raises `DataError` with the reason for each mirror if all fail; `target` is then unchanged.
    """
    reasons = []
    for mirror in mirrors:
        try:
            with replacing(target) as file:
                _transfer(mirror + name, file, size)
                file.flush()
                _verify(file.name, sha256, size)
            return target
        except DataError as e:
            reasons.append(f"{mirror}{name}: {e}")
        except (OSError, http.client.HTTPException, ValueError) as e:
            reason = e.reason if type(e) is urllib.error.URLError else str(e)
            reasons.append(f"{mirror}{name}: {reason or type(e).__name__}")
    raise DataError("; ".join(reasons))


def _transfer(url: str, file, size: int) -> None:
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with urllib.request.urlopen(url, timeout=TIMEOUT) as reply, _to_stderr(Progress, columns) as bar:
        total = int(reply.headers.get("Content-Length") or 0) or None
        task = bar.add_task(url.rsplit("/", 1)[-1], total=total)
        done = 0
        while chunk := reply.read(_CHUNK):
            done += file.write(chunk)
            if done > size + _CHUNK:
                raise DataError(f"larger than its content of {size} bytes")
            bar.update(task, completed=done)
    if total is not None and done < total:
        raise DataError(f"the transfer was interrupted: {done} of {total} bytes")


def _to_stderr(progress, columns):
    from rich.console import Console

    return progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty())


def _verify(path: str, sha256: str, size: int) -> None:
    digest, length = hashlib.sha256(), 0
    try:
        with gzip.open(path) as unpacked:
            while length <= size and (chunk := unpacked.read(_CHUNK)):
                digest.update(chunk)
                length += len(chunk)
    except (EOFError, zlib.error, gzip.BadGzipFile) as e:
        raise DataError(f"not a complete gzip file: {e}") from None
    if digest.hexdigest() != sha256:
        raise DataError(f"wrong content: SHA-256 {digest.hexdigest()[:12]}…, expected {sha256[:12]}…")
